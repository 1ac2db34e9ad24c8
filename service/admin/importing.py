"""Import of accounts, keys, apps and remaining units over HTTP."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from inkgate.service.admin import schemas
from inkgate.service.admin.access import AccountsWrite
from inkgate.service.errors import Misuse
from inkgate.service.importing.records import Report
from inkgate.service.importing.service import import_file
from inkgate.service.permissions import Permission

router = APIRouter(tags=["accounts"])

REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"description": "Nothing was imported; the problems say why.", "model": schemas.ImportRefusal}
}


@router.post("/import", response_model=schemas.ImportOut, responses=REFUSED)
async def import_records(admin_request: AccountsWrite, body: schemas.Import) -> schemas.ImportOut | JSONResponse:
    """Import records in one transaction: all of them, or none. Packs need the scope `orders:write` as well."""
    if any(str(each.get("record")).strip().lower() == "pack" for each in body.records):
        await admin_request.require(Permission.PACKS_GRANT, "orders:write")
    data = json.dumps(body.records).encode()
    report = await import_file(admin_request.begin, admin_request.context.vault, data, apply=body.apply)
    if report.problems:
        return _refusal(report)
    sealing = [
        schemas.SealingAppOut(app=each.name, account=each.account, own_key=each.own_key, enckey=each.enckey)
        for each in report.sealing
    ]
    return schemas.ImportOut(applied=report.applied, counts=dict(report.counts), sealing=sealing)


def _refusal(report: Report) -> JSONResponse:
    """Status 400 with every problem that the report lists."""
    count = len(report.problems) + report.more_problems
    refused = Misuse("import.refused", problems=count)
    problems = [
        schemas.ImportProblem(row=each.row, field=each.field, code=each.reason.code, detail=str(each.reason))
        for each in report.problems
    ]
    body = schemas.ImportRefusal(detail=str(refused), code=refused.code, params={"problems": count}, problems=problems)
    return JSONResponse(body.model_dump(), 400)
