"""应用监控 (manual 4.3): requests, response time, traffic and errors by app and capability: charts, tables, CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import methodcaller

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import charts
from inkgate.service.console.charts import Chart
from inkgate.service.console.codes import code_name
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.page_request import Customer
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import render, title
from inkgate.service.console.scope import (
    PERIODS,
    Family,
    Period,
    VisibleAccounts,
    app_names,
    family_of,
    scope_of,
    span_of,
)
from inkgate.service.console.translations import Translator
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository
from inkgate.service.usage.models import UNKNOWN_ID
from inkgate.service.usage.repository import Scope, UsageTotals, total

router = APIRouter()
MIB = 1024 * 1024
REQUESTS = ("calls", "refused")
SERIES = (*REQUESTS, "body_bytes")
APPS_PER_PAGE = 50
MOST_DAYS_LISTED = 31
"""A longer period is listed by weeks: on a phone a table of 90 days is many screens long."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Error:
    """Requests answered with a code; `refused` of them did not reach the capability."""

    capability: str
    code: int
    text: str
    requests: int
    refused: int


@dataclass(frozen=True, slots=True)
class AppUsage:
    """What an app sent to a capability. `is_choice`: the page can be limited to the app."""

    app_id: str
    name: str
    capability: str
    totals: UsageTotals

    @property
    def is_choice(self) -> bool:
        return self.app_id != UNKNOWN_ID


@dataclass(frozen=True, slots=True)
class Monitor:
    span: Period
    total: UsageTotals
    requests: Chart
    response: Chart
    traffic: Chart
    faults: Chart
    steps: list[tuple[datetime, UsageTotals]]
    apps: Page[AppUsage]
    errors: list[Error]

    @property
    def weekly(self) -> bool:
        """Whether a row of `steps` is a week."""
        return self.span.days > MOST_DAYS_LISTED


async def view(
    unit: UnitOfWork,
    scope: VisibleAccounts,
    translate: Translator,
    days: str,
    app_id: str = "",
    capability: str = "",
    page: int = 1,
) -> Monitor:
    """The view model: one series per app, filtered by app and capability if given; a page of the table of apps."""
    span = span_of(days, await unit.now())
    part = scope.usage_scope(span, app_id=app_id, capability=capability)
    steps = await repository.totals(unit.session, part, [span.step], times=True)
    ranked = await repository.totals(unit.session, part, ["app", "capability"], only=REQUESTS)
    series = await _series(unit, part, span, steps, ranked)
    shown = Paging.of(page, APPS_PER_PAGE, "apps").page_of_all([row.key for row in ranked])
    by_app = await _of_apps(unit, part, shown.rows)
    coded = await repository.totals(unit.session, part, [span.step, "code", "capability"], only=REQUESTS)
    faults = [row for row in coded if row.key[1]]
    listed = charts.by_step(span, steps)
    named = await _names(
        unit, scope.family, translate, [*(key for key, _ in shown.rows), *(row.key[1] for row in series)]
    )

    def stacked(rows: list[UsageTotals], value: charts.Value, unit: str, *, whole: bool = False) -> Chart:
        return charts.over_time(
            span, rows, value, name=named, other_label=translate("其他"), unit=unit, kind="bar", stack=True, whole=whole
        )

    return Monitor(
        span=span,
        total=total(steps),
        requests=stacked(series, lambda row: row.requests, translate("个请求"), whole=True),
        response=charts.measured(span, steps, response_times(translate), "ms"),
        traffic=stacked(series, lambda row: row.body_bytes / MIB, "MiB"),
        faults=charts.over_time(
            span,
            faults,
            lambda row: row.requests,
            name=str,
            other_label=translate("其他"),
            unit=translate("个请求"),
            kind="bar",
            stack=True,
            whole=True,
        ),
        steps=charts.by_week(listed) if span.days > MOST_DAYS_LISTED else listed,
        apps=shown.of([AppUsage(key[0], named(key[0]), key[1], by_app[key]) for key in shown.rows if key in by_app]),
        errors=_errors(faults, translate),
    )


async def _series(
    unit: UnitOfWork, part: Scope, span: Period, steps: Sequence[UsageTotals], ranked: Sequence[UsageTotals]
) -> list[UsageTotals]:
    """Rows by step and app. Of many apps those with most requests, and the others as charts.REST: the number of rows
    does not grow with the apps."""
    requests: dict[str, int] = {}
    for row in ranked:
        requests[row.key[0]] = requests.get(row.key[0], 0) + row.requests
    if len(requests) <= charts.MAX_SERIES:
        return await repository.totals(unit.session, part, [span.step, "app"], only=SERIES)
    leading = sorted(requests, key=lambda each: -requests[each])[: charts.MAX_SERIES - 1]
    rows = await repository.totals(unit.session, replace(part, app_ids=leading), [span.step, "app"], only=SERIES)
    return charts.with_rest(steps, rows)


async def _of_apps(
    unit: UnitOfWork, part: Scope, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], UsageTotals]:
    """(app, capability) → totals with response times, at least those of `keys`."""
    some = replace(part, app_ids=sorted({app for app, _ in keys}))
    found = await repository.totals(unit.session, some, ["app", "capability"], times=True)
    return {(row.key[0], row.key[1]): row for row in found}


def _errors(rows: Sequence[UsageTotals], translate: Translator) -> list[Error]:
    """The sums of rows by step, code and capability over the steps, most requests first."""
    found: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        sums = found.setdefault((row.key[2], row.key[1]), [0, 0])
        sums[0] += row.requests
        sums[1] += row.refused
    return [
        Error(capability, code, code_name(capability, code, translate.language), requests, refused)
        for (capability, code), (requests, refused) in sorted(found.items(), key=lambda each: -each[1][0])
    ]


def response_times(translate: Translator) -> dict[str, charts.Value]:
    """The measures of the response time: mean and three percentiles."""
    shares: dict[str, charts.Value] = {name: methodcaller("percentile", share) for name, share in SHARES.items()}
    return {translate("平均"): lambda row: row.mean_ms, **shares}


async def _names(
    unit: UnitOfWork, family: Family, translate: Translator, app_ids: Iterable[str]
) -> Callable[[str], str]:
    """The display names of apps in the statistics."""
    known = await app_names(unit, [each for each in app_ids if each not in (UNKNOWN_ID, charts.REST)], family)
    return lambda app_id: translate("未识别的应用") if app_id == UNKNOWN_ID else known(app_id)


@router.get("/monitor")
async def page(page_request: Customer, days: str = "7", app: str = "", capability: str = "", apps: int = 1) -> Response:
    assert page_request.account is not None
    capability = capability if capability in CAPABILITIES else ""
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account, app)
        model = await view(unit, scope, page_request.translate, days, app, capability, apps)
    return render(
        page_request,
        "monitor.html",
        model=model,
        scope=scope,
        periods=PERIODS,
        capabilities=CAPABILITIES,
        app=app,
        capability=capability,
        shares=SHARES,
        by_app=apps > 1,
    )


@router.get("/monitor.csv")
async def as_csv(page_request: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    """Totals by step (an hour for one day, else a day), app and capability."""
    assert page_request.account is not None
    rows = await _rows(page_request, days, app, capability, ("app", "capability"))
    async with page_request.reading() as unit:
        family = await family_of(unit, page_request.account)
        named = await _names(unit, family, page_request.translate, {row.key[1] for row in rows})
    lines = [
        (
            row.key[0].isoformat(),
            named(row.key[1]),
            title(row.key[2], page_request.translate.language),
            row.requests,
            row.refused,
            row.images,
            row.failed_images,
            row.units,
            row.body_bytes,
            _written(row.mean_ms),
            *(_written(row.percentile(share)) for share in SHARES.values()),
        )
        for row in rows
    ]
    _ = page_request.translate
    head = (
        _("时间"),
        _("应用"),
        _("能力"),
        _("请求数"),
        _("被拒绝"),
        _("调用次数"),
        _("失败图片"),
        _("抵扣次数"),
        _("请求字节"),
        _("平均响应时间（毫秒）"),
        *(_("{name} 响应时间（毫秒）", name=name.upper()) for name in SHARES),
    )
    await page_request.record("export.usage", "usage statistics", page_request.signed_in_account)
    return csv_answer("monitor.csv", head, lines)


@router.get("/monitor-errors.csv")
async def errors_as_csv(page_request: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    """Requests answered with a code, by step, capability and code."""
    rows = await _rows(page_request, days, app, capability, ("capability", "code"))
    lines = [
        (
            row.key[0].isoformat(),
            title(row.key[1], page_request.translate.language),
            row.key[2],
            code_name(row.key[1], row.key[2], page_request.translate.language),
            row.requests,
            row.refused,
        )
        for row in rows
        if row.key[2]
    ]
    await page_request.record("export.usage", "codes of requests", page_request.signed_in_account)
    _ = page_request.translate
    head = (_("时间"), _("能力"), _("错误码"), _("错误信息"), _("请求数"), _("被拒绝"))
    return csv_answer("errors.csv", head, lines)


async def _rows(page_request: Customer, days: str, app: str, capability: str, by: tuple[str, str]) -> list[UsageTotals]:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account, app)
        span = span_of(days, await unit.now())
        part = scope.usage_scope(span, app_id=app, capability=capability)
        rows = await repository.totals(unit.session, part, (span.step, *by), times="app" in by)
    return sorted(rows, key=lambda row: row.key)


def _written(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)
