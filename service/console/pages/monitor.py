"""应用监控 (manual 4.3): requests, response time, traffic and errors by app and capability; tables and CSV below."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import methodcaller

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import charts
from inkgate.service.console.catalogue import Words
from inkgate.service.console.charts import Chart
from inkgate.service.console.codes import code_name
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.render import render, title
from inkgate.service.console.scope import PERIODS, Scope, Span, scope_of, span_of
from inkgate.service.console.visit import Customer
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository
from inkgate.service.usage.models import UNKNOWN_ID
from inkgate.service.usage.repository import UsageTotals, total

router = APIRouter()
MIB = 1024 * 1024
REQUESTS = ("calls", "refused")
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Error:
    """Requests that a code answered; `refused` of them never reached the capability."""

    capability: str
    code: int
    text: str
    requests: int
    refused: int


@dataclass(frozen=True, slots=True)
class Monitor:
    span: Span
    total: UsageTotals
    requests: Chart
    response: Chart
    traffic: Chart
    faults: Chart
    steps: list[tuple[datetime, UsageTotals]]
    apps: list[tuple[str, str, UsageTotals]]
    errors: list[Error]


async def view(
    unit: UnitOfWork, scope: Scope, words: Words, days: str, app_id: str = "", capability: str = ""
) -> Monitor:
    """The whole page: one series an app, narrowed to one app and one capability when these are given."""
    span = span_of(days, await unit.now())
    part = scope.part(span, app_id=app_id, capability=capability)
    steps = await repository.totals(unit.session, part, [span.step], times=True)
    series = await repository.totals(unit.session, part, [span.step, "app"], only=(*REQUESTS, "body_bytes"))
    by_app = await repository.totals(unit.session, part, ["app", "capability"], times=True)
    coded = await repository.totals(unit.session, part, ["code", "capability"], only=REQUESTS)
    faults = await repository.totals(unit.session, part, [span.step, "code"], only=REQUESTS)
    faults = [row for row in faults if row.key[1]]

    def named(key: str) -> str:
        return app_name(scope, words, key)

    def stacked(rows: list[UsageTotals], value: charts.Value, unit: str, *, whole: bool = False) -> Chart:
        return charts.over_time(
            span, rows, value, name=named, rest=words("其他"), unit=unit, kind="bar", stack=True, whole=whole
        )

    return Monitor(
        span=span,
        total=total(steps),
        requests=stacked(series, lambda row: row.requests, words("次"), whole=True),
        response=charts.measured(span, steps, response_times(words), "ms"),
        traffic=stacked(series, lambda row: row.body_bytes / MIB, "MiB"),
        faults=charts.over_time(
            span,
            faults,
            lambda row: row.requests,
            name=str,
            rest=words("其他"),
            unit=words("次"),
            kind="bar",
            stack=True,
            whole=True,
        ),
        steps=charts.by_step(span, steps),
        apps=[(named(row.key[0]), row.key[1], row) for row in by_app],
        errors=[
            Error(row.key[1], row.key[0], code_name(row.key[1], row.key[0]), row.requests, row.refused)
            for row in coded
            if row.key[0]
        ],
    )


def response_times(words: Words) -> dict[str, charts.Value]:
    """The lines of the response times: the mean and three percentiles."""
    shares: dict[str, charts.Value] = {name: methodcaller("percentile", share) for name, share in SHARES.items()}
    return {words("平均"): lambda row: row.mean_ms, **shares}


def app_name(scope: Scope, words: Words, app_id: str) -> str:
    """What an app of the statistics is called."""
    return words("未识别的应用") if app_id == UNKNOWN_ID else scope.name(app_id)


@router.get("/monitor")
async def page(visit: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    assert visit.account is not None
    capability = capability if capability in CAPABILITIES else ""
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        model = await view(unit, scope, visit.words, days, app, capability)
    return render(
        visit,
        "monitor.html",
        model=model,
        scope=scope,
        periods=PERIODS,
        capabilities=CAPABILITIES,
        app=app,
        capability=capability,
        shares=SHARES,
    )


@router.get("/monitor.csv")
async def as_csv(visit: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    """Sums by step (an hour of one day, else a day), app and capability."""
    scope, rows = await _rows(visit, days, app, capability, ("app", "capability"))
    lines = [
        (
            row.key[0].isoformat(),
            app_name(scope, visit.words, row.key[1]),
            title(row.key[2], visit.words.language),
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
    head = (
        "time",
        "app",
        "capability",
        "requests",
        "refused",
        "images",
        "failed_images",
        "units",
        "body_bytes",
        "mean_ms",
        *(f"{name}_ms" for name in SHARES),
    )
    return csv_answer("monitor.csv", head, lines)


@router.get("/monitor-errors.csv")
async def errors_as_csv(visit: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    """Requests that were answered with a code, by step, capability and code."""
    _, rows = await _rows(visit, days, app, capability, ("capability", "code"))
    lines = [
        (
            row.key[0].isoformat(),
            title(row.key[1], visit.words.language),
            row.key[2],
            code_name(*row.key[1:]),
            row.requests,
            row.refused,
        )
        for row in rows
        if row.key[2]
    ]
    return csv_answer("errors.csv", ("time", "capability", "code", "message", "requests", "refused"), lines)


async def _rows(
    visit: Customer, days: str, app: str, capability: str, by: tuple[str, str]
) -> tuple[Scope, list[UsageTotals]]:
    assert visit.account is not None
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        span = span_of(days, await unit.now())
        part = scope.part(span, app_id=app, capability=capability)
        rows = await repository.totals(unit.session, part, (span.step, *by), times="app" in by)
    return scope, sorted(rows, key=lambda row: row.key)


def _written(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)
