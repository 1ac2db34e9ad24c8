"""Operator pages: the audit trail with filters and export, and the effective settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from inkgate.service.audit import repository as audit
from inkgate.service.audit.models import EventRow
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.page_request import Operator
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import render
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.settings import Settings, without_passwords

router = APIRouter(prefix="/operator")
PER_PAGE = 50
EXPORTED = 10_000
FIRST_YEAR, LAST_YEAR = 1970, 2199
ACTIONS = ("account", "app", "import", "key", "ledger", "order", "pack", "product", "refund", "user", "voucher")


@dataclass(frozen=True, slots=True)
class Filter:
    """Filter of the audit trail; days are inclusive, in the time zone of the console."""

    search: str
    action: str
    since: datetime | None
    until: datetime | None


def filter_of(q: str, action: str, since: str, until: str) -> Filter:
    """The filter of the query parameters; invalid ones are ignored."""
    end = day_of(until)
    return Filter(q[:64], action if action in ACTIONS else "", day_of(since), end + timedelta(days=1) if end else None)


def day_of(text: str) -> datetime | None:
    """The start of a day as typed, in the time zone of the console; None if it is invalid or out of range."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


async def audit_view(unit: UnitOfWork, wanted: Filter, limit: int, offset: int = 0) -> list[EventRow]:
    """The matching events, latest first."""
    return await audit.events(
        unit.session,
        search=wanted.search,
        action=wanted.action,
        since=wanted.since,
        until=wanted.until,
        limit=limit,
        offset=offset,
    )


@router.get("/audit")
async def audit_page(
    page_request: Operator, q: str = "", action: str = "", since: str = "", until: str = "", page: int = 1
) -> Response:
    paging = Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        found = await audit_view(unit, filter_of(q, action, since, until), paging.limit, paging.offset)
    rows, more = paging.cut(found)
    query = {"q": q, "action": action, "since": since, "until": until}
    return render(
        page_request,
        "operator_audit.html",
        rows=rows,
        more=more,
        page=paging.number,
        query=query,
        actions=ACTIONS,
    )


@router.get("/audit.csv")
async def audit_csv(
    page_request: Operator, q: str = "", action: str = "", since: str = "", until: str = ""
) -> Response:
    """The matching events as CSV, at most ten thousand lines."""
    async with page_request.reading() as unit:
        rows = await audit_view(unit, filter_of(q, action, since, until), EXPORTED)
    lines = [
        (row.at.isoformat(), row.actor, row.action, row.subject, row.account_id or "", str(row.detail)) for row in rows
    ]
    return csv_answer("audit.csv", ("at", "actor", "action", "subject", "account", "detail"), lines)


@router.get("/settings")
async def settings_page(page_request: Operator) -> Response:
    return render(page_request, "operator_settings.html", groups=settings_view(page_request.parts.settings))


def settings_view(settings: Settings) -> list[tuple[str, list[tuple[str, str, bool, str]]]]:
    """Each settings group with its (environment name, value, differs from default, description)."""
    return [(name, list(_group(name, getattr(settings, name)))) for name in type(settings).model_fields]


def _group(group: str, values: BaseModel) -> Iterator[tuple[str, str, bool, str]]:
    for name, about in type(values).model_fields.items():
        value = getattr(values, name)
        yield f"INKGATE_{group}__{name}".upper(), shown(value), value != about.default, about.description or ""


def shown(value: object) -> str:
    """A setting as text, with secrets and passwords in URLs masked."""
    if value is None or value == "" or value == ():
        return "–"
    if isinstance(value, SecretStr):
        return "••••••"
    return without_passwords(str(value))
