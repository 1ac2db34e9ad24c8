"""Statistics, the audit trail and the proof of the ledger over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from service.admin import shapes
from service.admin.access import AuditRead, UsageRead
from service.audit import trail
from service.db import work
from service.errors import Misuse
from service.metering import books
from service.usage import repository
from service.usage.repository import DIMENSIONS, Scope

router = APIRouter(tags=["reports"])


def _no_number(value: object) -> object:
    """A bare number would be read as seconds since 1970, though the description says date and time."""
    if isinstance(value, str) and value.replace(".", "", 1).lstrip("+-").isdigit():
        raise ValueError("give a date and time, like 2026-01-31T08:00:00+08:00")
    return value


Moment = Annotated[datetime, BeforeValidator(_no_number)]


@router.get("/usage")
async def usage(
    desk: UsageRead,
    since: Moment,
    until: Moment,
    account_id: str | None = None,
    capability: str | None = None,
    by: Annotated[list[str], Query(description="Dimensions: app, capability, code, account.")] = [],  # noqa: B006
) -> list[shapes.UsageOut]:
    """Sums of the hours from `since` up to `until` (exclusive), most calls first. A main account has its sub-accounts'
    usage in it."""
    if since.tzinfo is None or until.tzinfo is None or not timedelta() < until - since <= timedelta(days=800):
        raise Misuse("since and until need a zone, and lie at most 800 days apart")
    if any(name not in DIMENSIONS for name in by):
        raise Misuse(f"choose dimensions from {', '.join(DIMENSIONS)}")
    async with desk.reading() as session:
        sums = await repository.totals(session, Scope(since, until, account_id, capability=capability), by, times=True)
    return [
        shapes.UsageOut(
            key=list(each.key), calls=each.calls, images=each.images, failed_images=each.failed_images,
            units=each.units, body_bytes=each.body_bytes, mean_ms=each.mean_ms or 0.0, refused=each.refused,
            p50_ms=each.percentile(0.5), p95_ms=each.percentile(0.95), p99_ms=each.percentile(0.99),
        )
        for each in sums
    ]


@router.get("/audit")
async def audit(
    desk: AuditRead,
    account_id: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[shapes.EventOut]:
    """The audit trail, latest first."""
    async with desk.reading() as session:
        found = await trail.events(session, account_id=account_id, since=since, until=until, limit=limit)
        return [shapes.EventOut.model_validate(row) for row in found]


@router.get("/ledger/proof")
async def proof(desk: UsageRead, account_id: str | None = None) -> shapes.Proof:
    """Verify the ledger; reads every line of it (of the account)."""
    async with work.snapshot(desk.house.engine) as session:
        findings = await books.prove(session, account_id)
    return shapes.Proof(sound=not findings, findings=[shapes.FindingOut(**asdict(each)) for each in findings[:1000]])
