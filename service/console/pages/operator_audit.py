"""Operator page 操作审计: the audit trail in words, with filters and exports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from inkgate.service.audit import export, verify, words
from inkgate.service.audit import repository as audit
from inkgate.service.audit.actions import ACTIONS, KINDS, NAMED_REFUSALS, RESULTS, action_name, actions_of
from inkgate.service.audit.models import EventRow
from inkgate.service.audit.repository import Filter
from inkgate.service.audit.words import Part
from inkgate.service.console.downloads import csv_stream, saved_as
from inkgate.service.console.export_heads import headings
from inkgate.service.console.page_request import Operator, PageRequest
from inkgate.service.console.page_titles import page_words
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import render, title
from inkgate.service.console.translations import Translator
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import work
from inkgate.service.db.clock import BEIJING

router = APIRouter(prefix="/operator")
PER_PAGE = 50
FIRST_YEAR, LAST_YEAR = 1970, 2199
MAX_VERIFIED_EVENTS = 500_000  # about twenty seconds of one core
GROUPS = tuple(sorted({name.partition(".")[0] for name in ACTIONS}))


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event in words. `surface` is where it came in, "" for the service itself; `result` is "" where the action says
    it, and `named` is the object as it is stored."""

    at: datetime
    actor: str
    name: str
    surface: str
    address: str
    action: str
    result: str
    result_name: str
    subject: str
    named: str
    account: str
    parts: list[Part]


def filter_of(q: str, kind: str, action: str, result: str, since: str, until: str) -> Filter:
    """The filter of the query parameters; invalid ones are ignored. Days are inclusive, in the console's time zone."""
    end = day_of(until)
    return Filter(
        search=q[:64],
        action=action if action in GROUPS else "",
        actions=actions_of(kind) if kind in KINDS else (),
        result=result if result in RESULTS else "",
        since=day_of(since),
        until=end + timedelta(days=1) if end else None,
    )


def day_of(text: str) -> datetime | None:
    """The start of a day as typed, in the time zone of the console; None if it is invalid or out of range."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def line_of(row: EventRow, translate: Translator) -> EventLine:
    """The view model of an event."""
    language = translate.language
    result = row.result or "done"
    page = page_words(row.subject, translate) if row.surface == "console" else ""
    english = language == "en"
    surface, name = words.actor_words(row.actor, language)
    return EventLine(
        at=row.at,
        actor=row.actor,
        name=name,
        surface=words.SURFACES.get(row.surface or "", (surface, surface))[english],
        address=row.address or "",
        action=action_name(row.action, language),
        result="" if result == "done" or (result == "refused" and row.action in NAMED_REFUSALS) else result,
        result_name=RESULTS.get(result, (result, result))[english],
        subject=page or words.subject_words(row.subject, row.subject_name, language),
        named=row.subject,
        account=row.account_name or "",
        parts=list(words.parts(row.detail, language, {name: title(name, language) for name in CAPABILITIES})),
    )


@router.get("/audit")
async def audit_page(
    page_request: Operator,
    q: str = "",
    kind: str = "",
    action: str = "",
    result: str = "",
    since: str = "",
    until: str = "",
    page: int = 1,
) -> Response:
    query = {"q": q, "kind": kind, "action": action, "result": result, "since": since, "until": until}
    return await _page(page_request, query, page)


@router.post("/audit")
async def verify_trail(page_request: Operator) -> Response:
    """Verify the chain and its signed checkpoints."""
    query = dict.fromkeys(("q", "kind", "action", "result", "since", "until"), "")
    return await _page(page_request, query, 1, proof=await _verify(page_request))


@router.get("/audit.csv")
async def audit_csv(
    page_request: Operator,
    q: str = "",
    kind: str = "",
    action: str = "",
    result: str = "",
    since: str = "",
    until: str = "",
) -> Response:
    """The matching events as CSV, oldest first, as a stream."""
    wanted = filter_of(q, kind, action, result, since, until)
    await page_request.record("export.audit", "audit trail", format="csv")
    head = headings(export.COLUMNS, page_request.translate.language)
    return csv_stream("audit.csv", head, _rows(page_request, wanted))


@router.get("/audit.jsonl")
async def audit_lines(page_request: Operator, since: str = "", until: str = "") -> Response:
    """The events of a period as JSON lines, which `inkgate audit verify FILE` verifies."""
    await page_request.record("export.audit", "audit trail", format="json")
    lines = _lines(page_request, filter_of("", "", "", "", since, until))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=saved_as("audit.jsonl"))


async def _page(
    page_request: PageRequest, query: dict[str, str], number: int, proof: verify.Outcome | str | None = None
) -> Response:
    paging = Paging.of(number, PER_PAGE)
    async with page_request.reading() as unit:
        found = await audit.matching_latest(unit.session, filter_of(**query), paging.limit, paging.offset)
        last = await audit.last_checkpoint(unit.session)
    shown = paging.page(found)
    language = page_request.translate.language
    english = language == "en"
    return render(
        page_request,
        "operator_audit.html",
        rows=[line_of(row, page_request.translate) for row in shown.rows],
        page=shown,
        query=query,
        kinds=[(name, texts[english]) for name, texts in KINDS.items()],
        results=[(name, texts[english]) for name, texts in RESULTS.items()],
        checkpoint=last,
        proof=proof if isinstance(proof, verify.Outcome) else None,
        unproved=proof if isinstance(proof, str) else "",
    )


async def _verify(page_request: PageRequest) -> verify.Outcome | str:
    """The result, or why there is none."""
    _ = page_request.translate
    lock = page_request.parts.verification_lock
    if lock.locked():
        return _("另一次核对正在进行，请稍后再试。")
    async with lock, work.snapshot_session(page_request.parts.engine) as session:
        if (await audit.head(session))[0] > MAX_VERIFIED_EVENTS:
            return _("记录超过 {n} 条，请用命令 inkgate audit verify 核对。", n=f"{MAX_VERIFIED_EVENTS:,}")
        outcome = await verify.verify_database(session)
    await page_request.record("audit.verify", "audit trail", events=outcome.events, findings=len(outcome.findings))
    return outcome


async def _rows(page_request: PageRequest, wanted: Filter) -> AsyncGenerator[Iterable[object], None]:
    async with work.snapshot_session(page_request.parts.engine) as session:
        async for row in export.csv_rows(session, wanted):
            yield row


async def _lines(page_request: PageRequest, wanted: Filter) -> AsyncIterator[str]:
    async with page_request.reading() as unit:
        now = await unit.now()
    async with work.snapshot_session(page_request.parts.engine) as session:
        async for line in export.json_lines(session, wanted, now):
            yield line
