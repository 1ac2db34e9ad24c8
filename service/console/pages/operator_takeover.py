"""Operator pages: the report on mirrored calls, the routes of apps, and the switch above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.lookup import find_app
from inkgate.service.accounts.models import AppRow
from inkgate.service.console.app_labels import ID_DIGITS
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.export_heads import headings
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Malformed, NotFound, Operator, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.takeover import observation_repository as observations
from inkgate.service.takeover import report as reports
from inkgate.service.takeover import routes, routes_repository
from inkgate.service.takeover.measures import CALLS
from inkgate.service.takeover.observation_repository import ValuePair
from inkgate.service.takeover.report import RouteReport
from inkgate.service.takeover.report_document import CSV_COLUMNS, csv_rows
from inkgate.service.takeover.routes import Mode, Override, Overview, RouteLine
from inkgate.service.takeover.statistics import percent
from inkgate.service.takeover.text_distance import changed_parts
from inkgate.service.takeover.verdict import Judgement, judge

router = APIRouter(prefix="/operator/takeover")
PERIODS = (7, 30, 90)  # days
DEFAULT_DAYS = 30
PER_PAGE = 50  # apps and capabilities
SHOWN_VALUES = 200
OVERRIDES = {"local": Override.LOCAL, "cloud": Override.CLOUD, "none": Override.NONE}
PATH = "/operator/takeover"


@dataclass(frozen=True, slots=True)
class TakeoverLine:
    """An app and a capability with its route, its report and the verdict, where there are."""

    app_id: str
    app_name: str
    account_name: str
    capability: str
    route: RouteLine | None
    report: RouteReport | None
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class TakeoverDetail:
    """The page of one app and capability; `values` are different ones, the most frequent first."""

    app: AppRow
    line: TakeoverLine
    overview: Overview
    values: Sequence[ValuePair]


async def lines_view(
    unit: UnitOfWork, days: int, number: int = 1, *, enabled: bool
) -> tuple[Overview, Page[TakeoverLine]]:
    """The switch, and a page of the apps and capabilities with mirrored calls in the last days, most calls first, then
    of those with a route only."""
    now = await unit.now()
    since = now - timedelta(days=days - 1)
    period = reports.selection(since, now, None, None)
    keys = [key for key in await observations.busiest(unit.session, period, CALLS) if key[1] in CAPABILITIES]
    mirrored = set(keys)
    keys += [key for key in await routes_repository.keys(unit.session, routes.MAX_ROUTES) if key not in mirrored]
    shown = Paging.of(number, PER_PAGE).page_of_all(keys)
    apps = sorted({app_id for app_id, _ in shown.rows})
    overview = await routes.overview(unit.session, enabled=enabled, app_ids=apps)
    found = await reports.report(unit.session, since, now, app_ids=apps) if apps else []
    by_key = {(each.app_id, each.capability.name): each for each in found}
    routed = {(each.app_id, each.capability): each for each in overview.routes}
    return overview, shown.of([_line(key, routed.get(key), by_key.get(key)) for key in shown.rows])


async def detail_view(
    unit: UnitOfWork, app_id: str, capability: str, days: int, field: str, *, enabled: bool
) -> TakeoverDetail:
    """One app and capability. Raises NotFound."""
    app = await accounts.app(unit.session, app_id) if ids.CANONICAL.fullmatch(app_id) else None
    if app is None or capability not in CAPABILITIES:
        raise NotFound
    now = await unit.now()
    since = now - timedelta(days=days - 1)
    overview = await routes.overview(unit.session, enabled=enabled, app_ids=[app_id])
    route = next((each for each in overview.routes if (each.app_id, each.capability) == (app_id, capability)), None)
    found = await reports.report(unit.session, since, now, app_id=app_id, capability=capability)
    wanted = reports.selection(since, now, app_id, capability)
    values = await observations.differences(unit.session, wanted, field=field or None, limit=SHOWN_VALUES)
    line = _line((app_id, capability), route, found[0] if found else None)
    owner = await accounts.account(unit.session, app.account_id)
    line = replace(line, app_name=app.name, account_name=owner.name if owner else "")
    return TakeoverDetail(app, line, overview, values)


def _line(key: tuple[str, str], route: RouteLine | None, report: RouteReport | None) -> TakeoverLine:
    known = route or report
    name, owner = (known.app_name, known.account_name) if known else ("", "")
    return TakeoverLine(
        key[0], name or key[0][-ID_DIGITS:], owner, key[1], route, report, judge(report) if report else None
    )


@router.get("")
async def takeover_page(page_request: Operator, days: str = "", page: int = 1) -> Response:
    return await _lines_page(page_request, _days(days), number=page)


@router.get("/report.csv")
async def report_csv(page_request: Operator, days: str = "") -> Response:
    """Every figure of the period as CSV."""
    async with page_request.reading() as unit:
        now = await unit.now()
        found = await reports.report(unit.session, now - timedelta(days=_days(days) - 1), now)
    await page_request.record("export.takeover", "takeover report")
    head = headings(CSV_COLUMNS, page_request.translate.language)
    return csv_answer("takeover.csv", head, csv_rows(found))


@router.post("/route")
async def set_route(page_request: Operator) -> Response:
    """Change where the calls of an app to a capability are answered; `back` says on which page the form stood."""
    capability, mode = page_request.text("capability", 16), page_request.text("mode", 16)
    if mode not in set(Mode):
        raise Malformed
    app_id = ""
    try:
        async with page_request.begin() as unit:
            app_id = await _app_id(unit, page_request.text("app", 64))
            share = _percent(page_request.text("percent", 4)) if mode == Mode.SPLIT else None
            enabled = page_request.parts.settings.takeover.enabled
            await routes.set_route(unit, app_id, capability, Mode(mode), percent=share, enabled=enabled)
    except Misuse as problem:
        return await _lines_page(page_request, DEFAULT_DAYS, 422, explain(page_request.translate, problem))
    detail = page_request.text("back") == "detail"
    return go(page_request, f"{PATH}/{app_id}/{capability}" if detail else PATH, "routed")


@router.post("/override")
async def set_override(page_request: Operator) -> Response:
    """Set the switch above all routes."""
    target = OVERRIDES.get(page_request.text("target", 8))
    if target is None:
        raise Malformed
    try:
        if target is Override.CLOUD and not page_request.parts.settings.takeover.enabled:
            raise Misuse("takeover.disabled")
        async with page_request.begin() as unit:
            await routes.set_override(unit, target)
    except Misuse as problem:
        return await _lines_page(page_request, DEFAULT_DAYS, 422, explain(page_request.translate, problem))
    return go(page_request, PATH, "overridden")


@router.get("/{app_id}/{capability}")
async def detail_page(
    page_request: Operator, app_id: str, capability: str, days: str = "", field: str = ""
) -> Response:
    chosen, field = _days(days), field[:40]
    async with page_request.reading() as unit:
        enabled = page_request.parts.settings.takeover.enabled
        model = await detail_view(unit, app_id, capability, chosen, field, enabled=enabled)
    return render(
        page_request,
        "operator_takeover_app.html",
        model=model,
        days=chosen,
        periods=PERIODS,
        field=field,
        modes=tuple(Mode),
        percent=percent,
        changed_parts=changed_parts,
        personal=page_request.parts.settings.takeover.report_personal,
        kept_days=page_request.parts.settings.takeover.report_value_days,
    )


async def _lines_page(
    page_request: PageRequest, days: int, status: int = 200, problem: str = "", number: int = 1
) -> Response:
    async with page_request.reading() as unit:
        enabled = page_request.parts.settings.takeover.enabled
        overview, lines = await lines_view(unit, days, number, enabled=enabled)
    return render(
        page_request,
        "operator_takeover.html",
        status,
        overview=overview,
        page=lines,
        days=days,
        periods=PERIODS,
        modes=tuple(Mode),
        capabilities=CAPABILITIES,
        percent=percent,
        problem=problem,
    )


async def _app_id(unit: UnitOfWork, name: str) -> str:
    """The id of the live app with this id, AppKey or name. Raises Misuse, also when a name fits several."""
    found = await find_app(unit, name)
    if found is None:
        raise Misuse("command.app_not_found", name=name)
    return found.id


def _percent(text: str) -> int | None:
    """A share as typed; None, which a split refuses, for anything but digits."""
    return int(text) if text.isascii() and text.isdigit() else None


def _days(text: str) -> int:
    """The length of the period in days; the default for anything that the page does not offer."""
    return int(text) if text in map(str, PERIODS) else DEFAULT_DAYS
