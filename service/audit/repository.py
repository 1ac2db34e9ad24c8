"""Queries over the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Uuid, column, delete, func, or_, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit.canonical import ARCHIVE
from inkgate.service.audit.models import CheckpointRow, CursorRow, EventRow, HeadRow, SigningKeyRow
from inkgate.service.db import upsert

HEAD_ID = 1
READ_ROWS = 500  # rows per query of a reader of the whole trail
_account = table("account", column("id", Uuid(as_uuid=False)), column("name"))  # of a layer above this one


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; None or "" means all. `search` matches actor, subject, names and address; `action` is a
    prefix such as "order", `actions` are whole ones; `until` is exclusive."""

    account_id: str | None = None
    search: str = ""
    action: str = ""
    result: str = ""
    since: datetime | None = None
    until: datetime | None = None
    actions: tuple[str, ...] = ()

    @property
    def in_time_only(self) -> bool:
        """Whether nothing but a period is asked for, so that the events are a part of the chain without gaps."""
        return not (self.account_id or self.search or self.action or self.actions or self.result)


def append(session: AsyncSession, events: Iterable[EventRow]) -> None:
    """Add events to the trail; they are inserted at the session's next flush."""
    session.add_all(events)


async def events(
    session: AsyncSession,
    *,
    account_id: str | None = None,
    search: str = "",
    action: str = "",
    result: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[EventRow]:
    """The latest events first, at most `limit` after the first `offset`, by the rules of `Filter`."""
    return await matching_latest(session, Filter(account_id, search, action, result, since, until), limit, offset)


async def matching_latest(session: AsyncSession, wanted: Filter, limit: int, offset: int = 0) -> list[EventRow]:
    """The latest events of a filter first, at most `limit` after the first `offset`."""
    query = _matching(wanted)
    query = query.order_by(EventRow.at.desc(), EventRow.id.desc())
    return list(await session.scalars(query.limit(limit).offset(offset)))


def _matching(wanted: Filter) -> Select[Any]:
    query = select(EventRow)
    if wanted.account_id is not None:
        query = query.where(EventRow.account_id == wanted.account_id)
    if wanted.search:
        searched = (
            *(EventRow.actor, EventRow.subject, EventRow.subject_name, EventRow.account_name, EventRow.address),
        )
        query = query.where(or_(*(each.contains(wanted.search, autoescape=True) for each in searched)))
    if wanted.action:
        query = query.where(EventRow.action.startswith(wanted.action, autoescape=True))
    if wanted.actions:
        query = query.where(EventRow.action.in_(wanted.actions))
    if wanted.result:
        query = query.where(EventRow.result == wanted.result)
    if wanted.since is not None:
        query = query.where(EventRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(EventRow.at < wanted.until)
    return query


async def matching(session: AsyncSession, wanted: Filter, first: int, last: int) -> AsyncIterator[EventRow]:
    """The chained events of a filter with sequences from `first` to `last`, in the order of the chain."""
    while first <= last:
        query = _matching(wanted).where(EventRow.sequence >= first, EventRow.sequence <= last)
        rows = list(await session.scalars(query.order_by(EventRow.sequence).limit(READ_ROWS)))
        for row in rows:
            yield row
        if len(rows) < READ_ROWS:
            return
        session.expunge_all()  # the identity map would keep the whole trail in memory
        first = (rows[-1].sequence or 0) + 1


async def chained(session: AsyncSession, first: int, last: int, limit: int = READ_ROWS) -> list[EventRow]:
    """At most `limit` events with sequences from `first` to `last`, in order."""
    query = select(EventRow).where(EventRow.sequence >= first, EventRow.sequence <= last)
    return list(await session.scalars(query.order_by(EventRow.sequence).limit(limit)))


async def sequences(session: AsyncSession, wanted: Filter) -> tuple[int, int] | None:
    """The first and the last sequence of the matching events; None when there is none."""
    matching = _matching(wanted).subquery()
    first, last = (await session.execute(select(func.min(matching.c.sequence), func.max(matching.c.sequence)))).one()
    return None if first is None else (first, last)


async def lock_head(session: AsyncSession) -> HeadRow:
    """The end of the chain, locked until the transaction ends; made on first use."""
    query = select(HeadRow).where(HeadRow.id == HEAD_ID).with_for_update()
    query = query.execution_options(populate_existing=True)
    head = await session.scalar(query)
    if head is None:
        first = {"id": HEAD_ID, "algorithm": "sm3", "sequence": 0, "hash": None}
        await session.execute(upsert.insert_or_ignore(upsert.dialect_of(session), HeadRow), first)
        head = await session.scalar(query)
        assert head is not None
    return head


async def head(session: AsyncSession) -> tuple[int, str | None]:
    """Sequence and hash at the end of the chain."""
    row = await session.scalar(select(HeadRow).where(HeadRow.id == HEAD_ID))
    return (0, None) if row is None else (row.sequence, row.hash)


async def account_names(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    """Names of accounts by id, at most a thousand per query."""
    found: dict[str, str] = {}
    for begin in range(0, len(account_ids), 1000):
        query = select(_account.c.id, _account.c.name).where(_account.c.id.in_(account_ids[begin : begin + 1000]))
        found |= {row[0]: row[1] for row in await session.execute(query)}
    return found


Deed = tuple[str, str, str, str | None, str | None]
"""Actor, action, subject, account and address of an event."""


async def recorded_since(session: AsyncSession, deed: Deed, since: datetime) -> bool:
    """Whether the same actor did the same to the same object, from the same address, since a time."""
    actor, action, subject, account_id, address = deed
    query = select(EventRow.id).where(
        EventRow.at >= since,
        EventRow.actor == actor,
        EventRow.action == action,
        EventRow.subject == subject,
        EventRow.account_id.is_not_distinct_from(account_id),
        EventRow.address.is_not_distinct_from(address),
    )
    return await session.scalar(query.limit(1)) is not None


async def count_unsuccessful(session: AsyncSession, since: datetime) -> dict[str | None, int]:
    """Refused and failed events since a time, by address."""
    query = select(EventRow.address, func.count()).where(
        EventRow.at >= since, EventRow.result.in_(("refused", "failed"))
    )
    return {row[0]: row[1] for row in await session.execute(query.group_by(EventRow.address))}


async def unchained(session: AsyncSession, limit: int) -> list[EventRow]:
    """The oldest rows of a release without the chain."""
    query = select(EventRow).where(EventRow.hash.is_(None)).order_by(EventRow.at, EventRow.id)
    return list(await session.scalars(query.limit(limit)))


async def latest(session: AsyncSession, action: str, subject: str) -> EventRow | None:
    """The latest event of an action on a subject."""
    query = select(EventRow).where(EventRow.action == action, EventRow.subject == subject)
    return await session.scalar(query.order_by(EventRow.at.desc(), EventRow.id.desc()).limit(1))


async def event_at(session: AsyncSession, sequence: int) -> EventRow | None:
    """The event with this sequence."""
    return await session.scalar(select(EventRow).where(EventRow.sequence == sequence))


async def last_before(session: AsyncSession, at: datetime) -> int | None:
    """The largest sequence such that all events up to it are older than `at`; None when there is none."""
    first_kept = await session.scalar(select(func.min(EventRow.sequence)).where(EventRow.at >= at))
    query = select(func.max(EventRow.sequence))
    if first_kept is not None:
        query = query.where(EventRow.sequence < first_kept)
    found: int | None = await session.scalar(query)
    return found


async def delete_up_to(session: AsyncSession, sequence: int, limit: int) -> int:
    """Delete at most `limit` of the oldest events up to `sequence`, which an archive checkpoint must cover."""
    first: int | None = await session.scalar(select(func.min(EventRow.sequence)))
    if first is None or first > sequence:
        return 0
    last = min(sequence, first + limit - 1)
    await session.execute(delete(EventRow).where(EventRow.sequence <= last))
    return last - first + 1


async def checkpoints(
    session: AsyncSession, *, kind: str = "", since: int = 0, last: int | None = None
) -> list[CheckpointRow]:
    """Checkpoints from a sequence on, up to `last` if it is given, oldest first."""
    query = select(CheckpointRow).where(CheckpointRow.sequence >= since)
    if last is not None:
        query = query.where(CheckpointRow.sequence <= last)
    if kind:
        query = query.where(CheckpointRow.kind == kind)
    return list(await session.scalars(query.order_by(CheckpointRow.sequence, CheckpointRow.id)))


async def newest_checkpoints(session: AsyncSession, limit: int) -> list[CheckpointRow]:
    """The checkpoints of the largest sequences, newest first."""
    query = select(CheckpointRow).order_by(CheckpointRow.sequence.desc(), CheckpointRow.id.desc()).limit(limit)
    return list(await session.scalars(query))


async def last_checkpoint(session: AsyncSession, kind: str = "") -> CheckpointRow | None:
    """The checkpoint of the largest sequence."""
    query = select(CheckpointRow)
    if kind:
        query = query.where(CheckpointRow.kind == kind)
    return await session.scalar(query.order_by(CheckpointRow.sequence.desc(), CheckpointRow.id.desc()).limit(1))


async def last_archive(session: AsyncSession) -> CheckpointRow | None:
    """The checkpoint up to which events may have been deleted."""
    return await last_checkpoint(session, ARCHIVE)


async def signing_keys(session: AsyncSession, *, lock: bool = False) -> list[SigningKeyRow]:
    """The keys, newest first."""
    query = select(SigningKeyRow).order_by(SigningKeyRow.created_at.desc(), SigningKeyRow.id)
    return list(await session.scalars(query.with_for_update() if lock else query))


def add_row(session: AsyncSession, row: CheckpointRow | SigningKeyRow) -> None:
    """Add a checkpoint or a key; it is inserted at the session's next flush."""
    session.add(row)


async def cursor(session: AsyncSession, name: str) -> CursorRow | None:
    """How far a receiver is."""
    return await session.scalar(select(CursorRow).where(CursorRow.name == name))


async def hold_cursor(session: AsyncSession, name: str, holder: str, now: datetime, until: datetime) -> int | None:
    """Take or keep the right to send to a receiver; the sequence sent last, None while another process sends."""
    first = {"name": name, "sequence": 0, "holder": holder, "held_until": until}
    await session.execute(upsert.insert_or_ignore(upsert.dialect_of(session), CursorRow), first)
    change: Any = (
        update(CursorRow)
        .where(CursorRow.name == name, or_(CursorRow.holder == holder, CursorRow.held_until < now))
        .values(holder=holder, held_until=until)
        .execution_options(synchronize_session=False)
    )
    result: Any = await session.execute(change)
    if result.rowcount != 1:
        return None
    sequence: int | None = await session.scalar(select(CursorRow.sequence).where(CursorRow.name == name))
    return sequence


async def advance_cursor(session: AsyncSession, name: str, holder: str, sequence: int, held_until: datetime) -> bool:
    """Record what was sent; False when the right was lost to another process meanwhile."""
    change = (
        update(CursorRow)
        .where(CursorRow.name == name, CursorRow.holder == holder)
        .values(sequence=sequence, held_until=held_until)
        .execution_options(synchronize_session=False)
    )
    result: Any = await session.execute(change)
    return bool(result.rowcount == 1)
