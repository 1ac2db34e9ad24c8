"""Chains the events of a transaction just before its commit.

Each event's hash covers its content and the hash of the event before. The row with the end of the chain is locked last,
after everything else of the transaction has been written, so that waiting for it cannot be part of a deadlock; the
order of the chain is the order of commits. Settlement writes no events and never waits for this lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from inkgate.service.audit import repository
from inkgate.service.audit.canonical import event_hash, instant
from inkgate.service.audit.models import EventRow, HeadRow
from inkgate.service.db.work import UnitOfWork

LOOK_INTERVAL = timedelta(minutes=10)  # repeated looks at one object within it are one event
LIMIT_WINDOW = timedelta(minutes=1)
MAX_UNSUCCESSFUL_OF_ADDRESS = 30  # refused and failed events per window and address: anyone can cause them
MAX_UNSUCCESSFUL = 300  # from all addresses
BOUNDED = frozenset({"user.throttle"})  # actions that are written a few times per window anyway: limits leave them
ADOPTED_ROWS = 500  # rows per transaction that adopts those of a release without the chain

_PENDING, _LOOKS = "audit.pending", "audit.looks"


def enqueue(work: UnitOfWork, event: EventRow, *, once: bool = False) -> None:
    """Have `event` written at the end of the unit of work; with `once`, unless it was within LOOK_INTERVAL."""
    info = work.session.info
    if _PENDING not in info:
        info[_PENDING], info[_LOOKS] = [], set()
        work.closing.append(_write)
    info[_PENDING].append(event)
    if once:
        info[_LOOKS].add(event.id)


async def _write(work: UnitOfWork) -> None:
    session = work.session
    events, looks = session.info.pop(_PENDING), session.info.pop(_LOOKS)
    await session.flush()
    events = await _without_repeated_looks(work, events, looks)
    events = await _within_limits(work, events)
    if not events:
        return
    account_ids = sorted({each.account_id for each in events if each.account_id is not None})
    names = await repository.account_names(session, account_ids)
    head = await repository.lock_head(session)
    for event in events:
        event.account_name = names.get(event.account_id or "")
        link(head, event)
    repository.append(session, events)
    await session.flush()


def link(head: HeadRow, event: EventRow) -> None:
    """Give an event its place at the end of the chain."""
    event.sequence, event.previous_hash = head.sequence + 1, head.hash
    event.hash = event_hash(head.algorithm, members(event))
    head.sequence, head.hash = event.sequence, event.hash


def members(event: EventRow) -> dict[str, Any]:
    """The members of an event's text, and its hash."""
    return {
        "sequence": event.sequence,
        "id": event.id,
        "at": instant(event.at),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "subject_name": event.subject_name,
        "account_id": event.account_id,
        "account_name": event.account_name,
        "result": event.result,
        "surface": event.surface,
        "address": event.address,
        "session": event.session,
        "detail": event.detail,
        "previous": event.previous_hash,
        "hash": event.hash,
    }


async def adopt(work: UnitOfWork) -> int:
    """Chain rows that a release without the chain has written, oldest first; returns how many were chained."""
    await work.session.flush()
    head = await repository.lock_head(work.session)
    rows = await repository.unchained(work.session, ADOPTED_ROWS)
    for row in rows:
        link(head, row)
    await work.session.flush()
    return len(rows)


async def use_algorithm(work: UnitOfWork, algorithm: str) -> None:
    """Chain further events with this hash."""
    head = await repository.lock_head(work.session)
    head.algorithm = algorithm


async def _without_repeated_looks(work: UnitOfWork, events: Sequence[EventRow], looks: set[str]) -> list[EventRow]:
    """The events to write: a look that was recorded lately, or that only prepared a change, is none of them."""
    if len(looks) < len(events):
        return [each for each in events if each.id not in looks]
    kept: list[EventRow] = []
    for event in events:
        deed = (event.actor, event.action, event.subject, event.account_id, event.address)
        if not await repository.recorded_since(work.session, deed, event.at - LOOK_INTERVAL):
            kept.append(event)
    return kept


async def _within_limits(work: UnitOfWork, events: list[EventRow]) -> list[EventRow]:
    """The events without those refused and failed ones that are too many for the table; the last one says so."""
    if all(each.result == "done" for each in events):
        return events
    counts = await repository.count_unsuccessful(work.session, max(each.at for each in events) - LIMIT_WINDOW)
    total = sum(counts.values())
    kept = []
    for event in events:
        if event.result != "done" and event.action not in BOUNDED:
            own = counts.get(event.address, 0)
            if own >= MAX_UNSUCCESSFUL_OF_ADDRESS or total >= MAX_UNSUCCESSFUL:
                continue
            counts[event.address], total = own + 1, total + 1
            if own + 1 == MAX_UNSUCCESSFUL_OF_ADDRESS or total == MAX_UNSUCCESSFUL:
                event.detail = {**event.detail, "further_omitted_seconds": int(LIMIT_WINDOW.total_seconds())}
        kept.append(event)
    return kept
