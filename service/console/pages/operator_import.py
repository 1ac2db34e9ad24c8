"""Operator page: import of accounts, keys, apps and remaining units from a file. Nothing of the file is kept."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from inkgate.service.console.downloads import MARK, MEDIA_TYPE
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Operator, PageRequest
from inkgate.service.console.render import render
from inkgate.service.console.translations import Translator
from inkgate.service.errors import Misuse
from inkgate.service.importing.reading import MAX_FILE_BYTES, MAX_ROWS
from inkgate.service.importing.records import SealingApp
from inkgate.service.importing.service import import_file
from inkgate.service.importing.template import template

router = APIRouter(prefix="/operator/import")


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A problem of the file, as the page shows it."""

    row: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """The result of an import or of a dry run. `counts`: (kind of record, number in the file), without zeros."""

    applied: bool
    counts: list[tuple[str, int]]
    problems: list[ProblemLine]
    more_problems: int
    sealing: list[SealingApp]


def kinds(_: Translator) -> dict[str, str]:
    """Kind of record → its name on the page."""
    return {
        "account": _("账号"),
        "key": "AccessKey",
        "app": _("应用"),
        "capability": _("开通的能力"),
        "pack": _("资源包"),
    }


async def result(page_request: PageRequest, *, apply: bool) -> ImportView:
    """Import the file of the form, or with `apply` False try it. Raises Misuse when it cannot be read as a whole."""
    upload = page_request.form.get("file")
    data = await upload.read(MAX_FILE_BYTES + 1) if isinstance(upload, UploadFile) else b""
    if not data:
        raise Misuse("import.file_missing")
    report = await import_file(page_request.begin, page_request.parts.vault, data, apply=apply)
    named = kinds(page_request.translate)
    problems = [
        ProblemLine(each.row, each.field, explain(page_request.translate, each.reason)) for each in report.problems
    ]
    counts = [(named[kind], count) for kind, count in report.counts.items() if count]
    return ImportView(report.applied, counts, problems, report.more_problems, list(report.sealing))


@router.get("")
async def page(page_request: Operator) -> Response:
    return _page(page_request, None)


@router.get("/template.csv")
async def csv_template(page_request: Operator) -> Response:
    """The template as a spreadsheet opens it: from the mark it recognises UTF-8."""
    return _download(MARK + template(), "csv", MEDIA_TYPE)


@router.get("/template.json")
async def json_template(page_request: Operator) -> Response:
    return _download(template(as_json=True), "json", "application/json")


def _download(text: str, ending: str, media_type: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="inkgate-import.{ending}"'}
    return Response(text, media_type=media_type, headers=headers)


@router.post("")
async def upload(page_request: Operator) -> Response:
    """Try the file, or import it with `apply` in the form. With scripts the answer is the result alone, so that the
    chosen file stays chosen."""
    apply = page_request.flag("apply")
    try:
        model = await result(page_request, apply=apply)
    except Misuse as problem:
        return _page(page_request, None, 422, problem=explain(page_request.translate, problem))
    return _page(page_request, model, 422 if model.problems else 200)


def _page(page_request: PageRequest, model: ImportView | None, status: int = 200, problem: str = "") -> Response:
    fragment = "hx-request" in page_request.request.headers
    return render(
        page_request,
        "_import_result.html" if fragment else "operator_import.html",
        200 if fragment else status,  # htmx shows no answer with an error status
        model=model,
        problem=problem,
        most_rows=MAX_ROWS,
        most_kib=MAX_FILE_BYTES // 1024,
    )
