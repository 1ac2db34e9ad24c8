"""API 文档 inside the console: each call with the caller's endpoint and keys filled in, and the table of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.console import calling
from inkgate.service.console.calling import Signer
from inkgate.service.console.codes import Code, codes, search
from inkgate.service.console.pages.keys import view as keys_view
from inkgate.service.console.render import render
from inkgate.service.console.visit import Missing, Visit, settled_in
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.openapi import document
from inkgate.service.db.work import UnitOfWork

router = APIRouter()
Reader = Annotated[Visit, Depends(settled_in)]


@dataclass(frozen=True, slots=True)
class Guide:
    """One call as its caller needs it. `headers` and `fields` are rows of the OpenAPI document: name, whether it must
    be there, what it is."""

    capability: Capability
    headers: Sequence[tuple[str, bool, str]]
    fields: Sequence[tuple[str, str, str]]
    programs: Sequence[tuple[str, str]]
    codes: Sequence[Code]


def endpoint(visit: Visit) -> str:
    """The gateway's address as this customer sees it."""
    given = visit.parts.settings.console.endpoint
    if given:
        return given.rstrip("/")
    url = visit.request.url
    scheme = visit.request.headers.get("x-forwarded-proto", url.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{url.netloc}"


def guide(capability: Capability, signer: Signer, where: str) -> Guide:
    """The page of one capability; `where` is the endpoint, `signer` has the names of the caller's keys."""
    operation: dict[str, Any] = document({})["paths"][capability.paths[0]]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    programs = [("Python", calling.as_python), ("Java", calling.as_java)]
    return Guide(
        capability,
        [(each["name"], each["required"], each["description"]) for each in operation["parameters"]],
        [(name, each["type"], _about(each)) for name, each in schema["properties"].items()],
        [(name, write(capability, signer, where)) for name, write in programs],
        [each for each in codes() if each.capability == capability.name],
    )


def _about(field: dict[str, Any]) -> str:
    if "const" in field:
        return str(field["const"])
    return str(field.get("description") or field["items"]["description"])


async def names_of_keys(unit: UnitOfWork, visit: Visit) -> Signer:
    """The caller's newest live key and first app by name, without the secret; placeholders where there is none."""
    ak, appkey = "<AccessKey>", "<AppKey>"
    if visit.account is not None:
        live = [row for row, state in await keys_view(unit, visit.account.id) if state == "live"]
        apps = await accounts.apps(unit.session, [visit.account.id], limit=1)
        ak = live[0].ak if live else ak
        appkey = apps[0].appkey if apps else appkey
    return Signer(ak, b"", appkey)


@router.get("/reference")
async def page(visit: Reader, q: str = "") -> Response:
    found = search(q[:40]) if q.strip() else list(codes())
    return render(visit, "reference.html", rows=found, q=q[:40], capabilities=CAPABILITIES, endpoint=endpoint(visit))


@router.get("/reference/{capability}")
async def guide_page(visit: Reader, capability: str) -> Response:
    if capability not in CAPABILITIES:
        raise Missing
    async with visit.reading() as unit:
        signer = await names_of_keys(unit, visit)
    where = endpoint(visit)
    return render(visit, "guide.html", model=guide(CAPABILITIES[capability], signer, where), endpoint=where)
