"""Statistics, audit trail and verification of the ledger over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.admin import schemas
from inkgate.service.admin.access import AdminRequest, AuditRead, UsageRead
from inkgate.service.admin.fields import MAX_ROWS, Id, Instant, Limit, Offset, ShortText
from inkgate.service.audit import export, trail, verify
from inkgate.service.audit import repository as audit_repository
from inkgate.service.audit.repository import Filter
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.metering import ledger_reader
from inkgate.service.usage import repository
from inkgate.service.usage.repository import DIMENSIONS, Scope

router = APIRouter(tags=["reports"])
MAX_PROOF_LINES = 500_000  # about ten seconds of one core
MAX_PROOF_SECONDS = 30.0
MAX_PROOF_FINDINGS = 1000
JSON_LINES = "application/x-ndjson"
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The export, one JSON object a line.", "content": {JSON_LINES: {"schema": {"type": "string"}}}}
}
MAX_SUMS = 10_000  # rows of one answer of statistics
MAX_PERIOD = timedelta(days=800)  # of one request for statistics


@router.get("/usage")
async def usage(
    admin_request: UsageRead,
    since: Instant,
    until: Instant,
    account_id: Id | None = None,
    capability: ShortText | None = None,
    by: Annotated[
        list[ShortText], Query(max_length=len(DIMENSIONS), description="Dimensions: app, capability, code, account.")
    ] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=MAX_SUMS)] = MAX_SUMS,
    offset: Offset = 0,
) -> list[schemas.UsageOut]:
    """Sums of the hours from `since` up to `until` (exclusive), most calls first. A main account has its sub-accounts'
    usage in it."""
    if not timedelta() < until - since <= MAX_PERIOD:
        raise Misuse("usage.period_invalid", most=MAX_PERIOD.days)
    if any(name not in DIMENSIONS for name in by):
        raise Misuse("usage.dimension_unknown", choices=tuple(DIMENSIONS))
    async with admin_request.reading() as session:
        sums = await repository.totals(session, Scope(since, until, account_id, capability=capability), by, times=True)
    return [
        schemas.UsageOut(
            key=list(each.key),
            calls=each.calls,
            images=each.images,
            failed_images=each.failed_images,
            units=each.units,
            body_bytes=each.body_bytes,
            mean_ms=each.mean_ms or 0.0,
            refused=each.refused,
            p50_ms=each.percentile(0.5),
            p95_ms=each.percentile(0.95),
            p99_ms=each.percentile(0.99),
        )
        for each in sums[offset : offset + limit]
    ]


@router.get("/audit")
async def audit(
    admin_request: AuditRead,
    account_id: Id | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    search: ShortText = "",
    action: ShortText = "",
    result: ShortText = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> list[schemas.EventOut]:
    """The audit trail, latest first. `search` is a part of actor, object, names or address, `action` a prefix such as
    "order", `result` done, refused or failed."""
    async with admin_request.reading() as session:
        found = await audit_repository.events(
            session, account_id=account_id, search=search, action=action, result=result,
            since=since, until=until, limit=limit, offset=offset,
        )  # fmt: skip
        return [schemas.EventOut.model_validate(row) for row in found]


@router.get("/audit/export", response_class=StreamingResponse, responses=EXPORTED)
async def export_audit(
    admin_request: AuditRead,
    account_id: Id | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> StreamingResponse:
    """The audit trail as JSON lines, which `inkgate audit verify FILE` verifies without a database."""
    async with admin_request.begin() as unit:
        await trail.record(unit, "export.audit", "audit trail", account_id, format="json")
        now = await unit.now()
    wanted = Filter(account_id, since=since, until=until)

    async def lines() -> AsyncIterator[str]:
        async with work.snapshot_session(admin_request.context.engine) as session:
            async for line in export.json_lines(session, wanted, now):
                yield line

    return StreamingResponse(lines(), media_type=JSON_LINES)


@router.get("/audit/keys")
async def audit_keys(
    admin_request: AuditRead, limit: Limit = MAX_ROWS, offset: Offset = 0
) -> list[schemas.AuditKeyOut]:
    """The public keys that verify the checkpoints of the audit trail, newest first."""
    async with admin_request.reading() as session:
        found = (await audit_repository.signing_keys(session))[offset : offset + limit]
        return [schemas.AuditKeyOut.model_validate(row) for row in found]


@asynccontextmanager
async def _proof_session(admin_request: AdminRequest) -> AsyncIterator[AsyncSession]:
    """A session with one snapshot for a proof, of which one runs at a time, within its time limit.

    Raises HTTPException 503 while another one runs, and Misuse when the time is over.
    """
    lock = admin_request.context.verification_lock
    if lock.locked():
        raise HTTPException(503, "another proof is running", {"Retry-After": "30"})
    async with lock:
        try:
            async with (
                asyncio.timeout(MAX_PROOF_SECONDS),
                work.snapshot_session(admin_request.context.engine) as session,
            ):
                yield session
        except TimeoutError:
            raise Misuse("proof.time_limit", seconds=MAX_PROOF_SECONDS) from None


@router.get("/audit/proof")
async def audit_proof(admin_request: AuditRead) -> schemas.AuditProof:
    """Verify the chain of the audit trail and its signed checkpoints; the first finding is the first broken event.

    At most 500,000 events and 30 seconds, one proof at a time (503 while another one runs). For more there is
    `inkgate audit verify`.
    """
    async with _proof_session(admin_request) as session:
        events = (await audit_repository.head(session))[0]
        archived = await audit_repository.last_archive(session)
        if events - (archived.sequence if archived else 0) > MAX_PROOF_LINES:
            raise Misuse("proof.line_limit", lines=events, most=MAX_PROOF_LINES)
        outcome = await verify.verify_database(session)
    return schemas.AuditProof(
        sound=outcome.sound,
        events=outcome.events,
        checkpoints=outcome.checkpoints,
        findings=[schemas.FindingOut(**asdict(each)) for each in outcome.findings],
    )


@router.get("/ledger/proof")
async def proof(
    admin_request: UsageRead, account_id: Id | None = None, capability: ShortText | None = None
) -> schemas.Proof:
    """Verify the ledger, or what an account has of it, or of one capability; reads every line of that.

    At most 500,000 lines, 30 seconds and 1,000 findings, one proof at a time (503 while another one runs). For more
    there is `inkgate ledger verify`.
    """
    async with _proof_session(admin_request) as session:
        meters = await ledger_reader.meters(session, account_id)
        lines = sum(each.seq - each.archived_lines for each in meters if capability in (None, each.capability))
        if lines > MAX_PROOF_LINES:
            raise Misuse("proof.line_limit", lines=lines, most=MAX_PROOF_LINES)
        findings = await ledger_reader.verify_database(session, account_id, capability, max_findings=MAX_PROOF_FINDINGS)
    return schemas.Proof(
        sound=not findings, lines=lines, findings=[schemas.FindingOut(**asdict(each)) for each in findings]
    )
