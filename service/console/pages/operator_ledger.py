"""Operator pages: ledger entries, their CSV export and the verification of the ledger."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.audit import repository as audit
from inkgate.service.audit import trail, words
from inkgate.service.audit.models import EventRow
from inkgate.service.audit.repository import Filter
from inkgate.service.console import repository
from inkgate.service.console.codes import code_name
from inkgate.service.console.downloads import csv_stream
from inkgate.service.console.export_heads import headings
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.operator_audit import day_of
from inkgate.service.console.render import render
from inkgate.service.console.scope import app_labels, family_of
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.verify import Finding, MeterFact
from inkgate.service.usage import repository as usage
from inkgate.service.usage.models import RecordRow

router = APIRouter(prefix="/operator")
PER_PAGE = 25
VERIFY = "ledger.verify"
MAX_VERIFIED_LINES = 500_000  # for a page; `inkgate ledger verify` has no limit
MAX_FINDINGS_SHOWN = 100
MAX_FINDINGS = 1000
MAX_EXPORT_SPAN = timedelta(days=400)
MAX_ACCOUNTS = 200  # to choose from; a search finds the others


@dataclass(frozen=True, slots=True)
class Meter:
    """Number of ledger entries of one account and capability."""

    capability: str
    lines: int
    archived: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The page. `lines` are of one account and capability, latest first; `older` is the number to continue from.

    `mains` are the main accounts to choose from, whose names contain `search`, those with most entries first."""

    search: str
    mains: list[Account]
    account: Account | None
    capability: str
    meters: list[Meter]
    lines: list[RecordRow]
    older: int | None
    apps: dict[str, str]
    verifications: list[EventRow]


@dataclass(frozen=True, slots=True)
class Proof:
    """Result of a verification. `findings` is None if there are too many lines, or another one runs (`busy`)."""

    lines: int
    archived: int  # lines that retention has deleted; their sums are verified
    seconds: float
    findings: list[Finding] | None
    busy: bool = False


async def view(
    unit: UnitOfWork, account_id: str, capability: str, before: int | None = None, search: str = ""
) -> Ledger:
    """The ledger of one account and capability, by default those with most entries. Raises NotFound for an unknown
    account."""
    session = unit.session
    mains = await _main_accounts(unit, search)
    account = await _chosen(unit, mains, account_id, search)
    verifications = await audit.matching_latest(session, Filter(actions=(VERIFY,)), limit=3)
    if account is None:
        return Ledger(search, mains, None, capability or DEFAULT, [], [], None, {}, verifications)
    own = {fact.capability: fact for fact in await ledger_reader.meters(session, account.id)}
    capability = capability or max(CAPABILITIES, key=lambda name: own[name].seq if name in own else 0)
    rows = await usage.records(session, account.id, capability=capability, before_seq=before, limit=PER_PAGE + 1)
    return Ledger(
        search,
        mains,
        account,
        capability,
        [_meter(name, own.get(name)) for name in CAPABILITIES],
        rows[:PER_PAGE],
        rows[PER_PAGE - 1].seq if len(rows) > PER_PAGE else None,
        await app_labels(unit, {each.app_id for each in rows}, await family_of(unit, account)),
        verifications,
    )


async def _main_accounts(unit: UnitOfWork, search: str) -> list[Account]:
    """At most MAX_ACCOUNTS main accounts, those with most entries first."""
    entries = await ledger_reader.busiest(unit.session, MAX_ACCOUNTS)
    found = await repository.main_accounts(unit.session, search, list(entries), MAX_ACCOUNTS)
    return sorted(found, key=lambda each: -entries.get(each.id, 0))


async def _chosen(unit: UnitOfWork, mains: list[Account], account_id: str, search: str) -> Account | None:
    """The account asked for, unless a search leads elsewhere; else the first."""
    account = await accounts.account(unit.session, account_id) if account_id else None
    if account_id and (account is None or account.parent_id is not None):
        raise NotFound
    if account is None or (search and account.id not in {each.id for each in mains}):
        return next(iter(mains), None)
    if account.id not in {each.id for each in mains}:
        mains.append(account)
    return account


def _meter(capability: str, fact: MeterFact | None) -> Meter:
    return Meter(capability, fact.seq if fact else 0, fact.archived_lines if fact else 0)


@router.get("/ledger")
async def page(
    page_request: Operator, account: str = "", capability: str = "", before: str = "", q: str = ""
) -> Response:
    return await _render_page(page_request, account, capability, before, search=q[:64])


@router.post("/ledger")
async def verify(page_request: Operator) -> Response:
    """Verify the ledger of one account, or all of it, and record the result in the audit trail."""
    account = page_request.text("account", 36)
    if account:
        async with page_request.reading() as unit:
            if await accounts.account(unit.session, account) is None:
                raise NotFound
    proof = await _verify(page_request, account)
    return await _render_page(page_request, account, page_request.text("capability"), "", proof)


@router.get("/ledger.csv")
async def as_csv(page_request: Operator, account: str = "", since: str = "", until: str = "") -> Response:
    """The lines of an account between two days (inclusive; by default the last 31 days), as a stream."""
    async with page_request.reading() as unit:
        found = await accounts.account(unit.session, account) if len(account) == 36 else None
        now = await unit.now()
    if found is None:
        raise NotFound
    end = (day_of(until) or now) + timedelta(days=1)
    begin = max(day_of(since) or end - timedelta(days=32), end - MAX_EXPORT_SPAN)
    await page_request.record(
        "export.ledger", f"ledger of {found.name}", found.id, since=begin.isoformat(), until=end.isoformat()
    )
    lines = _line_rows(page_request, found.parent_id or found.id, begin, end)
    head = headings(ledger_reader.LINE_COLUMNS, page_request.translate.language)
    return csv_stream("ledger.csv", head, lines)


async def _verify(page_request: PageRequest, account_id: str) -> Proof:
    lock = page_request.parts.verification_lock
    if lock.locked():
        return Proof(0, 0, 0.0, None, busy=True)
    async with lock:
        begun = time.perf_counter()
        async with work.snapshot_session(page_request.parts.engine) as session:
            meters = await ledger_reader.meters(session, account_id or None)
            archived = sum(meter.archived_lines for meter in meters)
            lines = sum(meter.seq for meter in meters) - archived
            if lines > MAX_VERIFIED_LINES:
                return Proof(lines, archived, 0.0, None)
            findings = await ledger_reader.verify_database(session, account_id or None, max_findings=MAX_FINDINGS)
        proof = Proof(lines, archived, time.perf_counter() - begun, findings)
    async with page_request.begin() as unit:
        about = await accounts.account(unit.session, account_id) if account_id else None
        await trail.record(
            unit,
            VERIFY,
            f"account {about.name}" if about else "ledger",
            account_id or None,
            lines=lines,
            findings=len(findings),
            seconds=round(proof.seconds, 2),
        )
    return proof


async def _render_page(
    page_request: PageRequest, account: str, capability: str, before: str, proof: Proof | None = None, search: str = ""
) -> Response:
    capability = capability if capability in CAPABILITIES else ""
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    async with page_request.reading() as unit:
        model = await view(unit, account, capability, start, search)
    language = page_request.translate.language
    return render(
        page_request,
        "operator_ledger.html",
        model=model,
        actor_name=partial(words.actor_name, language=language),
        subject_words=lambda subject, name: words.subject_words(subject, name, language),
        code_name=lambda row: code_name(row.capability, row.code, language),
        proof=proof,
        capabilities=CAPABILITIES,
        shown=MAX_FINDINGS_SHOWN,
    )


async def _line_rows(
    page_request: PageRequest, account_id: str, since: datetime, until: datetime
) -> AsyncGenerator[Iterable[object], None]:
    async with work.snapshot_session(page_request.parts.engine) as session:
        for meter in await ledger_reader.meters(session, account_id):
            async for row in ledger_reader.lines(session, meter, since=since, until=until):
                yield row.values()
