"""Incremental reconciliation: compares packs with ledger entries and reads each entry once.

There are two passes. INCREMENTAL sums the entries written since the last round and compares the sums with the packs at
the end of every round. FULL_RECHECK reads all entries again within a number of days, a part in each round, and
verifies their chain (`chain_recheck.py`): only it detects that an entry read before was changed or deleted since.
`inkgate ledger verify` also detects overlaps and a wrong order of packs, but reads the whole ledger.

One gateway works at a time: each step holds an advisory lock on Postgres; a gateway that does not get it gives up until
its next round. On SQLite a step holds the write lock. In both cases a step starts from the stored sums, so no entry is
counted twice.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.db import clock as clocks
from inkgate.service.db import ids, locks, upsert
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import consistent, reading_connection
from inkgate.service.db.locks import Lock
from inkgate.service.metering import chain_recheck, drift
from inkgate.service.metering.drift import FULL_RECHECK, INCREMENTAL, Key
from inkgate.service.metering.models import CheckedRow, CheckPackRow, CheckRow, MeterRow, PackRow
from inkgate.service.usage.models import RecordRow

MAX_METERS_PER_ROUND = 50_000  # bounds the memory of a round
RECENT_DAYS = timedelta(days=2)
"""Calls are rarely older than this when they are settled: new entries are first looked up in these partitions."""

Sum = tuple[str | None, int, int]  # pack, units, lines

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoundLimits:
    """Limits of one round: entries and seconds in total, entries per transaction (`step`), and the share of the recheck
    (`recheck_lines`, `recheck_meters`)."""

    lines: int = 20_000_000
    seconds: float = 240.0
    step: int = 20_000
    recheck_lines: int = 0
    recheck_meters: int = 0


@dataclass(frozen=True, slots=True)
class ReconciliationState:
    """The state of the whole ledger: `drift` in units, `backlog` of entries not read yet, when it was last read
    completely, and the number of entries that the recheck found missing or changed (`broken`)."""

    drift: int
    backlog: int
    checked_at: datetime
    broken: int = 0


class _LockHeld(Exception):
    """Another gateway holds the lock."""


@dataclass(slots=True)
class _Round:
    """A round in progress: database, clock, limits and what has been used of them."""

    engine: AsyncEngine
    clock: Clock
    bounds: RoundLimits
    end: float
    lines: int = field(default=0)

    @property
    def is_exhausted(self) -> bool:
        return self.lines >= self.bounds.lines or time.monotonic() >= self.end


async def reconcile(
    engine: AsyncEngine, bounds: RoundLimits, again_after: timedelta, clock: Clock = database_clock
) -> ReconciliationState:
    """Read the entries written since the last round, within `bounds`, and some of the old ones again: all of them once
    per `again_after`. Returns the state afterwards, or the stored state when another gateway holds the lock. Raises
    ClockSuspect."""
    round_ = _Round(engine, clock, bounds, time.monotonic() + bounds.seconds)
    try:
        whole = await _reconcile_new(round_)
        await _recheck_old(round_, again_after)
        return await _finish_round(round_, whole)
    except _LockHeld:
        log.info("another gateway compares packs and lines")
    async with reading_connection(engine) as connection:
        columns = (CheckedRow.drift, CheckedRow.backlog, CheckedRow.checked_at, CheckedRow.broken)
        known = (await connection.execute(select(*columns))).first()
        return ReconciliationState(*known) if known else ReconciliationState(0, 0, await clocks.now(connection, clock))


async def restart_from_first_line(engine: AsyncEngine) -> None:
    """Reset the progress: the next rounds read every entry. Needed after packs or entries were corrected by hand."""
    async with engine.begin() as connection:
        await _acquire_lock(connection, wait=True)
        for row in (CheckRow, CheckPackRow, CheckedRow):
            await connection.execute(delete(row))


async def block_reconciliation(connection: AsyncConnection) -> None:
    """Lock out reconciliation steps until this transaction ends."""
    await _acquire_lock(connection, wait=True)


async def add_archived(connection: AsyncConnection, key: Key, old: tuple[Any, ...]) -> None:
    """Add entries that retention is about to delete (`old`: its conditions) to the sums of passes that have not read
    them. Call it in the transaction that deletes them, after `block_reconciliation`."""
    for kind, seq in (await connection.execute(select(CheckRow.kind, CheckRow.seq).where(*drift.row(key)))).all():
        await _add(connection, key, kind, await _sums(connection, key, (*old, RecordRow.seq > seq)))


async def _reconcile_new(round_: _Round) -> bool:
    """Read new entries. Returns whether every meter was read completely."""
    checked = and_(*drift.joined(INCREMENTAL))
    query = (
        select(MeterRow.account_id, MeterRow.capability)
        .outerjoin(CheckRow, checked)
        .where(or_(CheckRow.seq.is_(None), CheckRow.seq < MeterRow.seq))
        .order_by(CheckRow.read_at.nulls_first(), MeterRow.account_id, MeterRow.capability)
    )
    keys = await _keys(round_.engine, query.limit(MAX_METERS_PER_ROUND + 1))
    for key in keys[:MAX_METERS_PER_ROUND]:
        while not await _step(round_, key, INCREMENTAL, round_.bounds.step):
            if round_.is_exhausted:
                return False
    return len(keys) <= MAX_METERS_PER_ROUND


async def _recheck_old(round_: _Round, after: timedelta) -> None:
    """Read a little of what was read before; a meter that was read to its end rests for `after`."""
    async with reading_connection(round_.engine) as connection:
        now = await clocks.now(connection, round_.clock)
    due = or_(CheckRow.kind.is_(None), CheckRow.finished_at.is_(None), CheckRow.finished_at < now - after)
    query = (
        select(MeterRow.account_id, MeterRow.capability)
        .outerjoin(CheckRow, and_(*drift.joined(FULL_RECHECK)))
        .where(due)
    )
    # Meters in progress first, so that they are finished.
    query = query.order_by(CheckRow.finished_at.is_not(None), CheckRow.read_at.nulls_last(), MeterRow.account_id)
    left, step = round_.bounds.recheck_lines, min(round_.bounds.step, chain_recheck.MAX_ENTRIES)
    for key in await _keys(round_.engine, query.limit(max(0, round_.bounds.recheck_meters))):
        await _restart_finished(round_.engine, key, now - after)
        done = False
        while not done and left > 0 and not round_.is_exhausted:
            before = round_.lines
            done = await _step(round_, key, FULL_RECHECK, min(step, left))
            left -= round_.lines - before


async def _keys(engine: AsyncEngine, query: Any) -> list[Key]:
    async with reading_connection(engine) as connection:
        return [(account, capability) for account, capability in await connection.execute(query)]


async def _step(round_: _Round, key: Key, kind: int, lines: int) -> bool:
    """Add up the next entries of a meter in one transaction. Returns whether the meter was read completely."""
    async with consistent(round_.engine).begin() as connection:
        await _acquire_lock(connection)
        now = await clocks.now(connection, round_.clock)
        meter = select(MeterRow.seq).where(MeterRow.account_id == key[0], MeterRow.capability == key[1])
        end: int = (await connection.execute(meter)).scalar_one()
        first_seq, read_at = await _start_reading(connection, key, kind, now)
        last_seq = min(first_seq + lines, end)
        if last_seq > first_seq:
            await _read(connection, key, kind, (first_seq, last_seq), read_at)
        if kind == FULL_RECHECK:
            await chain_recheck.verify_span(connection, key, (first_seq, last_seq))
        values: dict[str, Any] = {"seq": last_seq, "read_at": now}
        if last_seq == end:
            values |= {"drift": await drift.drift_of(connection, key, kind), "finished_at": now}
        await connection.execute(update(CheckRow).where(*drift.row(key, kind)).values(values))
        if last_seq == end:
            await _log_drift(connection, key, kind)
    round_.lines += last_seq - first_seq
    return last_seq == end


async def _acquire_lock(connection: AsyncConnection, *, wait: bool = False) -> None:
    """Raises _LockHeld when another gateway has the lock and `wait` is not set."""
    if wait:
        await locks.acquire(connection, Lock.CHECK)
    elif not await locks.try_acquire(connection, Lock.CHECK):
        raise _LockHeld


async def _start_reading(
    connection: AsyncConnection, key: Key, kind: int, now: datetime
) -> tuple[int, datetime | None]:
    """Sequence number of the last entry counted, and when that was. A new pass starts from the archived sums."""
    row = (await connection.execute(select(CheckRow.seq, CheckRow.read_at).where(*drift.row(key, kind)))).one_or_none()
    if row is not None:
        return row[0], row[1]
    ours = (PackRow.account_id == key[0], PackRow.capability == key[1])
    await connection.execute(
        delete(CheckPackRow).where(CheckPackRow.kind == kind, CheckPackRow.pack_id.in_(select(PackRow.id).where(*ours)))
    )
    dropped = select(PackRow.id, literal(kind), PackRow.archived).where(*ours, PackRow.archived > 0)
    await connection.execute(insert(CheckPackRow).from_select(["pack_id", "kind", "units"], dropped))
    lines = select(MeterRow.archived_lines).where(MeterRow.account_id == key[0], MeterRow.capability == key[1])
    made = {"account_id": key[0], "capability": key[1], "kind": kind, "seq": 0, "drift": 0, "read_at": now}
    made["lines"] = (await connection.execute(lines)).scalar_one()
    await connection.execute(insert(CheckRow), made)
    return 0, None


async def _read(
    connection: AsyncConnection, key: Key, kind: int, span: tuple[int, int], read_at: datetime | None
) -> None:
    """Add the entries after number span[0] up to span[1] to the sums of a pass whose last step was at `read_at`."""
    which = (RecordRow.seq > span[0], RecordRow.seq <= span[1])
    if kind == INCREMENTAL and read_at is not None:
        recent = RecordRow.call_id >= ids.first_id_of_day((read_at - RECENT_DAYS).date())
        sums = await _sums(connection, key, (*which, recent))
        if sum(count for _, _, count in sums) == span[1] - span[0]:
            await _add(connection, key, kind, sums)
            return
    await _add(connection, key, kind, await _sums(connection, key, which))


async def _sums(connection: AsyncConnection, key: Key, which: tuple[Any, ...]) -> list[Sum]:
    query = select(RecordRow.pack_id, func.sum(RecordRow.units), func.count()).group_by(RecordRow.pack_id)
    query = query.where(RecordRow.account_id == key[0], RecordRow.capability == key[1], *which)
    return [(pack, int(units), int(count)) for pack, units, count in await connection.execute(query)]


async def _add(connection: AsyncConnection, key: Key, kind: int, sums: list[Sum]) -> None:
    """Add sums of entries to a pass."""
    if not sums:
        return
    packs = [{"pack_id": pack, "kind": kind, "units": units} for pack, units, _ in sums if pack is not None]
    if packs:
        add_units = upsert.insert_or_add(connection.dialect.name, CheckPackRow, ("pack_id", "kind"), ("units",))
        await connection.execute(add_units, packs)
    count = sum(count for _, _, count in sums)
    await connection.execute(update(CheckRow).where(*drift.row(key, kind)).values(lines=CheckRow.lines + count))


async def _log_drift(connection: AsyncConnection, key: Key, kind: int) -> None:
    query = select(CheckRow.seq, CheckRow.lines, CheckRow.drift).where(*drift.row(key, kind))
    seq, lines, units = (await connection.execute(query)).one()
    if units or lines != seq:
        log.error(
            "packs and lines of account %s, %s, disagree about %d units, and of %d lines %d are there; "
            "run: inkgate ledger verify",
            *key,
            units,
            seq,
            lines,
        )


async def _restart_finished(engine: AsyncEngine, key: Key, before: datetime) -> None:
    """Restart the recheck of a meter, unless it is in progress."""
    async with engine.begin() as connection:
        await _acquire_lock(connection)
        await connection.execute(delete(CheckRow).where(*drift.row(key, FULL_RECHECK), CheckRow.finished_at < before))


async def _finish_round(round_: _Round, whole: bool) -> ReconciliationState:
    async with consistent(round_.engine).begin() as connection:
        await _acquire_lock(connection)
        now = await clocks.now(connection, round_.clock)
        found, backlog = await drift.total_drift(connection), await drift.backlog(connection)
        broken = await drift.total_broken(connection)
        changed = ("drift", "backlog", "broken", *(("checked_at",) if whole else ()))
        row = {"id": 1, "drift": found, "backlog": backlog, "checked_at": now, "broken": broken}
        await connection.execute(upsert.insert_or_replace(connection.dialect.name, CheckedRow, ("id",), changed), row)
        checked_at: datetime = (await connection.execute(select(CheckedRow.checked_at))).scalar_one()
    return ReconciliationState(found, backlog, checked_at, broken)
