"""Corrects what was settled while the clock was ahead: meters, exhaustion times of packs, hours in the future.

Ledger entries keep the time that was read then: the ledger is append-only, and `verify` compares each entry with its
pack at the entry's time. Corrected are the last settlement time of the meter (otherwise settlement stays blocked), the
time at which packs were exhausted, and the hourly totals behind statistics and bills. Every correction is written to
the audit trail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from inkgate.service.audit import trail
from inkgate.service.db import clock as clocks
from inkgate.service.db import ids
from inkgate.service.db.clock import hour_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering import statements
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.metering.settle import hours
from inkgate.service.usage import repository as usage
from inkgate.service.usage.models import DayRow, HourRow, RecordRow, RefusalRow, RollupStateRow

MAX_AHEAD = clocks.MAX_CLOCK_DIFFERENCE
"""Times further ahead than this were written by a wrong clock."""

PAGE = 5000
COUNTED = (
    "pack_id",
    "line",
    "units",
    "images",
    "failed_images",
    "body_bytes",
    "duration_ms",
    "app_id",
    "code",
    "account_id",
    "capability",
)

Key = tuple[str, str]  # main account, capability


@dataclass(frozen=True, slots=True)
class FutureMeter:
    """Future data of one meter: its last settlement time (None when that is right), the number of packs and of rows of
    hours, and the calls and units in those rows."""

    account_id: str
    capability: str
    settled_at: datetime | None
    packs: int
    hours: int
    calls: int
    units: int


@dataclass(frozen=True, slots=True)
class Findings:
    """All data later than `now`. Packs ordered in the future (`ordered`) are reported only; the operator decides."""

    now: datetime
    meters: list[FutureMeter]
    refusals: int
    ordered: list[str]

    @property
    def is_empty(self) -> bool:
        return not (self.meters or self.refusals)


async def find_future_data(work: UnitOfWork) -> Findings:
    """Find data in the future. Read-only. Raises ClockSuspect when the current time is not reliable."""
    now, session = await work.checked_now(), work.session
    future = now + MAX_AHEAD
    meters = {
        (account, capability): settled
        for account, capability, settled in await session.execute(
            select(MeterRow.account_id, MeterRow.capability, MeterRow.settled_at).where(MeterRow.settled_at > future)
        )
    }
    packs = await _by_meter(session, PackRow, (func.count(),), PackRow.exhausted_at > future)
    sums = (func.count(), func.sum(HourRow.calls), func.sum(HourRow.units))
    rows = await _by_meter(session, HourRow, sums, HourRow.hour > future)
    refusals = await session.scalar(select(func.sum(RefusalRow.calls)).where(RefusalRow.hour > future))
    ordered = await session.scalars(select(PackRow.id).where(PackRow.ordered_at > future).order_by(PackRow.id))
    found = [
        FutureMeter(*key, meters.get(key), *packs.get(key, (0,)), *rows.get(key, (0, 0, 0)))
        for key in sorted({*meters, *packs, *rows})
    ]
    return Findings(now, found, int(refusals or 0), list(ordered))


async def count_future_meters(connection: AsyncConnection, now: datetime) -> int:
    """The number of meters whose last settlement lies in the future."""
    query = select(func.count()).select_from(MeterRow).where(MeterRow.settled_at > now + MAX_AHEAD)
    return int(await connection.scalar(query) or 0)


async def repair_meter(work: UnitOfWork, key: Key) -> None:
    """Correct one meter, with its packs and hours, in the caller's transaction. Raises ClockSuspect."""
    account_id, capability = key
    now, session = await work.checked_now(), work.session
    meter = (MeterRow.account_id == account_id, MeterRow.capability == capability)
    locked = select(MeterRow.seq, MeterRow.settled_at).where(*meter).with_for_update()
    seq, settled_at = (await session.execute(locked)).one()
    reassignment = _HourReassignment(
        now, await _last_valid_line(session, key, seq, now), await _remove_future_hours(session, key, now)
    )
    async for page in _lines(session, key, reassignment.before.seq):
        await _add_hours(session, reassignment.assign(page))
    await _add_hours(session, reassignment.unexplained(key))
    if reassignment.earliest is not None:
        again = update(RollupStateRow).where(RollupStateRow.until > reassignment.earliest)
        await session.execute(again.values(until=reassignment.earliest))
    packs = await _correct_packs(session, key, reassignment)
    corrected = min(settled_at, now)
    await session.execute(update(MeterRow).where(*meter).values(settled_at=corrected))
    await trail.record(
        work,
        "ledger.repair_clock",
        f"meter {capability}",
        account_id,
        seq=seq,
        was=settled_at.isoformat(),
        becomes=corrected.isoformat(),
        lines=seq - reassignment.before.seq,
        packs=packs,
    )


async def repair_statistics(work: UnitOfWork) -> None:
    """Correct what belongs to no meter: refused calls, whose hour is unknown, move to the current hour, and days in the
    future are deleted. Raises ClockSuspect."""
    now, session = await work.checked_now(), work.session
    future, key = now + MAX_AHEAD, ("account_id", "app_id", "capability", "code")
    columns = [getattr(RefusalRow, name) for name in key]
    query = select(*columns, func.sum(RefusalRow.calls)).where(RefusalRow.hour > future).group_by(*columns)
    found = [
        dict(zip(key, row[:-1], strict=True)) | {"hour": hour_of(now), "calls": int(row[-1])}
        for row in await session.execute(query)
    ]
    if found:
        await session.execute(delete(RefusalRow).where(RefusalRow.hour > future))
        await usage.add_refusals(await session.connection(), found)
        calls = sum(each["calls"] for each in found)
        await trail.record(work, "ledger.repair_clock", "refused calls", None, calls=calls, becomes=now.isoformat())
    await session.execute(delete(DayRow).where(DayRow.day > now))


@dataclass(frozen=True, slots=True)
class _LastValidLine:
    """The last entry not in the future: its sequence number, and its time (None when there is none)."""

    seq: int
    settled_at: datetime | None


@dataclass(slots=True)
class _HourReassignment:
    """Moves removed future hours to the hours in which their entries were really settled.

    The time of an entry is the time in its call id (the gateway's clock), limited to the interval from the last valid
    entry to now. `left` are the removed sums by (app, code) that no entry has explained yet; `emptied` is when the last
    entry of each pack was settled; `earliest` is the first hour that was changed.
    """

    now: datetime
    before: _LastValidLine
    left: dict[tuple[str, int], dict[str, int]]
    emptied: dict[str, datetime] = field(default_factory=dict)
    earliest: datetime | None = None

    def assign(self, page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Hourly rows for a page of entries; updates `left`, `emptied` and `earliest`."""
        moved = []
        for line in page:
            taken = hour_of(line["settled_at"]) > self.now + MAX_AHEAD
            line["settled_at"] = self._moment(line["call_id"])
            if line["pack_id"] is not None:
                self.emptied[line["pack_id"]] = line["settled_at"]
            if taken:
                moved.append(line)
        rows = hours(moved)
        for row in rows:
            self.earliest = min(self.earliest or row["hour"], row["hour"])
            sums = self.left.get((row["app_id"], row["code"]), {})
            for name in sums:
                sums[name] = max(0, sums[name] - row[name])
        return rows

    def unexplained(self, key: Key) -> list[dict[str, Any]]:
        """Sums that no entry explains, as rows of the current hour."""
        ours = {"hour": hour_of(self.now), "account_id": key[0], "capability": key[1]}
        return [
            ours | {"app_id": app, "code": code} | sums for (app, code), sums in self.left.items() if any(sums.values())
        ]

    def _moment(self, call_id: str) -> datetime:
        made = ids.timestamp_of(call_id)
        if self.before.settled_at is not None:
            made = max(made, self.before.settled_at)
        return min(made, self.now)


async def _by_meter(
    session: AsyncSession, row: Any, values: Sequence[Any], condition: Any
) -> dict[Key, tuple[int, ...]]:
    query = select(row.account_id, row.capability, *values).where(condition).group_by(row.account_id, row.capability)
    return {(each[0], each[1]): tuple(int(value) for value in each[2:]) for each in await session.execute(query)}


async def _last_valid_line(session: AsyncSession, key: Key, seq: int, now: datetime) -> _LastValidLine:
    """The last entry at or before `seq` that does not lie in the future; reads backwards in pages."""
    query = (
        select(RecordRow.seq, RecordRow.settled_at).where(*_lines_of(key)).order_by(RecordRow.seq.desc()).limit(PAGE)
    )
    last = seq + 1
    while page := (await session.execute(query.where(RecordRow.seq < last))).all():
        for number, settled_at in page:
            if settled_at <= now + MAX_AHEAD:
                return _LastValidLine(number, settled_at)
        last = page[-1][0]
    return _LastValidLine(last - 1, None)


async def _lines(session: AsyncSession, key: Key, after: int) -> AsyncIterator[list[dict[str, Any]]]:
    """The entries of a meter after sequence number `after`, in pages."""
    names = ("seq", "call_id", "settled_at", *COUNTED)
    query: Select[Any] = select(*(getattr(RecordRow, name) for name in names)).where(*_lines_of(key))
    query = query.order_by(RecordRow.seq).limit(PAGE)
    while page := (await session.execute(query.where(RecordRow.seq > after))).all():
        yield [dict(zip(names, row, strict=True)) for row in page]
        after = page[-1][0]


def _lines_of(key: Key) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return RecordRow.account_id == key[0], RecordRow.capability == key[1]


async def _remove_future_hours(session: AsyncSession, key: Key, now: datetime) -> dict[tuple[str, int], dict[str, int]]:
    """Delete the meter's hours in the future. Returns their sums by (app, code)."""
    future_hours = (HourRow.account_id == key[0], HourRow.capability == key[1], HourRow.hour > now + MAX_AHEAD)
    sums = [func.sum(getattr(HourRow, name)) for name in statements.HOUR_MEASURES]
    query = select(HourRow.app_id, HourRow.code, *sums).where(*future_hours).group_by(HourRow.app_id, HourRow.code)
    removed = {
        (row[0], row[1]): {name: int(value) for name, value in zip(statements.HOUR_MEASURES, row[2:], strict=True)}
        for row in await session.execute(query)
    }
    await session.execute(delete(HourRow).where(*future_hours))
    return removed


async def _add_hours(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection = await session.connection()
        await connection.execute(statements.add_hours(connection.dialect.name), rows)


async def _correct_packs(session: AsyncSession, key: Key, reassignment: _HourReassignment) -> int:
    """Set the exhaustion time of packs to the real time of their last entry. Returns the number of packs changed."""
    query = select(PackRow.id).where(
        PackRow.account_id == key[0], PackRow.capability == key[1], PackRow.exhausted_at > reassignment.now + MAX_AHEAD
    )
    packs = list(await session.scalars(query))
    for pack in packs:
        moment = reassignment.emptied.get(pack, reassignment.now)
        await session.execute(update(PackRow).where(PackRow.id == pack).values(exhausted_at=moment))
    return len(packs)
