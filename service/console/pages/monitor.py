"""应用监控 (manual 4.3): requests, response time, traffic and errors by app and capability; tables and CSV below."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from service.console import charts, repository
from service.console.catalogue import Words
from service.console.charts import Chart
from service.console.codes import code_name
from service.console.pages.operator_system import csv_answer
from service.console.render import render, title
from service.console.repository import Sums
from service.console.scope import PERIODS, Scope, Span, scope_of, span_of
from service.console.visit import Customer
from service.contract.capabilities import CAPABILITIES
from service.db.work import Work

router = APIRouter()
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Error:
    """Requests that a code answered."""

    capability: str
    code: int
    text: str
    calls: int


@dataclass(frozen=True, slots=True)
class Monitor:
    span: Span
    total: Sums
    requests: Chart
    response: Chart
    traffic: Chart
    faults: Chart
    steps: list[tuple[datetime, Sums]]
    apps: list[tuple[str, str, Sums]]
    errors: list[Error]


async def view(unit: Work, scope: Scope, words: Words, days: str, app_id: str = "", capability: str = "") -> Monitor:
    """The whole page: one series an app, narrowed to one app and one capability when these are given."""
    span = span_of(days, await unit.now())
    part = scope.part(span, app_id=app_id, capability=capability)
    hours = await repository.sums(unit.session, part, "hour", "app_id")
    by_app = await repository.sums(unit.session, part, "app_id", "capability")
    codes = await repository.sums(unit.session, part, "code", "capability")
    faults = [row for row in await repository.sums(unit.session, part, "hour", "code") if row.key[1]]
    return Monitor(
        span=span,
        total=charts.total(hours),
        requests=charts.over_time(span, hours, lambda row: row.calls, name=scope.name, unit=words("次"), kind="bar",
                                  stack=True, whole=True),
        response=charts.over_time(span, hours, lambda row: row.mean_ms, name=scope.name, unit="ms"),
        traffic=charts.over_time(span, hours, lambda row: row.body_bytes / MIB, name=scope.name, unit="MiB", kind="bar",
                                 stack=True),
        faults=charts.over_time(span, faults, lambda row: row.calls, name=str, unit=words("次"), kind="bar", stack=True,
                                whole=True),
        steps=charts.by_step(span, hours),
        apps=[(scope.name(row.key[0]), row.key[1], row) for row in sorted(by_app, key=lambda row: -row.calls)],
        errors=[
            Error(row.key[1], row.key[0], code_name(row.key[1], row.key[0]), row.calls)
            for row in sorted(codes, key=lambda row: -row.calls) if row.key[0]
        ],
    )


@router.get("/monitor")
async def page(visit: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    assert visit.account is not None
    capability = capability if capability in CAPABILITIES else ""
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        model = await view(unit, scope, visit.words, days, app, capability)
    return render(visit, "monitor.html", model=model, scope=scope, periods=PERIODS, capabilities=CAPABILITIES,
                  app=app, capability=capability)


@router.get("/monitor.csv")
async def as_csv(visit: Customer, days: str = "7", app: str = "", capability: str = "") -> Response:
    """Sums by hour, app, capability and code."""
    assert visit.account is not None
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        part = scope.part(span_of(days, await unit.now()), app_id=app, capability=capability)
        rows = await repository.sums(unit.session, part, "hour", "app_id", "capability", "code")
    lines = [
        (row.key[0].isoformat(), scope.name(row.key[1]), title(row.key[2], visit.words.language), row.key[3], row.calls,
         row.images, row.failed_images, row.units, row.body_bytes, round(row.mean_ms or 0, 1))
        for row in rows
    ]
    head = ("hour", "app", "capability", "code", "calls", "images", "failed_images", "units", "body_bytes", "mean_ms")
    return csv_answer("monitor.csv", head, lines)
