"""Housekeeping of the ledger: partitions ahead, retention, rollup, reconciliation.

Every gateway runs rounds. Each part of a round takes an advisory lock and continues where another gateway stopped.
Calls never wait for it: without a partition of their day, entries stay in the default one until the next round.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.background import Background, Rounds
from inkgate.service.db import clock as clocks
from inkgate.service.db import ids, locks
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import reading_connection
from inkgate.service.db.locks import Lock
from inkgate.service.errors import ClockSuspect
from inkgate.service.metering import reconciliation
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.metering.reconciliation import ReconciliationState, RoundLimits
from inkgate.service.settings import Ledger
from inkgate.service.usage import rollup
from inkgate.service.usage.models import RecordRow

DAYS_AHEAD = 7
MIN_RECHECK_METERS = 10  # meters per round that are read again, at least
LOCK_NOT_AVAILABLE = "55P03"

log = logging.getLogger(__name__)


class Housekeeper(Rounds):
    """Runs a round every `housekeeping_minutes`. `report` is called after each round with the
    reconciliation state, also when another gateway determined it."""

    def __init__(
        self,
        engine: AsyncEngine,
        settings: Ledger,
        report: Callable[[ReconciliationState], None],
        *,
        clock: Clock = database_clock,
        background: Background | None = None,
    ) -> None:
        super().__init__("housekeeping", settings.housekeeping_minutes * 60, background)
        self._engine, self._settings, self._report, self._clock = engine, settings, report, clock

    async def try_round(self) -> None:
        """See Rounds.try_round."""
        try:
            await self.run_round()
        except (SQLAlchemyError, OSError, ClockSuspect) as error:
            log.warning("housekeeping of the ledger failed and will be tried again: %s", error)

    async def run_round(self) -> ReconciliationState:
        """Run one round and return the reconciliation state. Raises ClockSuspect and SQLAlchemyError."""
        today = await self._today()
        try:
            for number in range(-1, DAYS_AHEAD + 1):
                await make_partition(self._engine, today + timedelta(days=number))
            if self._settings.retention_days:
                await apply_retention(self._engine, today - timedelta(days=self._settings.retention_days))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            log.info("housekeeping of the ledger leaves partitions to the next round: they are being read")
        await rollup.roll_up(self._engine, self._clock)
        again = timedelta(days=self._settings.recheck_days)
        found = await reconciliation.reconcile(self._engine, await self._bounds(again), again, self._clock)
        self._report(found)
        if found.drift:
            log.error("packs and lines of the ledger disagree about %d units; run: inkgate ledger verify", found.drift)
        if found.broken:
            log.error("%d ledger entries are missing or changed; run: inkgate ledger verify", found.broken)
        return found

    async def _bounds(self, again: timedelta) -> RoundLimits:
        """Limits of a round, such that all old entries are read again within `again`."""
        rounds = max(1.0, again / timedelta(minutes=self._settings.housekeeping_minutes))
        query = select(func.count(), func.sum(MeterRow.seq - MeterRow.archived_lines))
        async with reading_connection(self._engine) as connection:
            meters, lines = (await connection.execute(query)).one()
        bounds = RoundLimits()
        again_lines = int(int(lines or 0) / rounds) + bounds.step
        return replace(bounds, recheck_lines=again_lines, recheck_meters=int(meters / rounds) + MIN_RECHECK_METERS)

    async def _today(self) -> date:
        async with reading_connection(self._engine) as connection:
            now: datetime = await clocks.now(connection, self._clock)
            return now.date()


async def make_partition(engine: AsyncEngine, day: date) -> bool:
    """Create the partition of a day (Postgres only) with its entries of the default one. False when it exists."""
    if engine.dialect.name != "postgresql":
        return False
    name, bounds = partition(day), f"'{ids.first_id_of_day(day)}' AND '{ids.first_id_of_day(day + timedelta(days=1))}'"
    low, high = bounds.split(" AND ")
    async with engine.begin() as connection:
        await _acquire_lock(connection)
        if await connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}):
            return False
        # Attaching a filled table blocks settlement during the move; there are rows to move only after a clock error.
        inside = f"call_id >= {low} AND call_id < {high}"
        await connection.execute(text("LOCK TABLE usage_record IN SHARE UPDATE EXCLUSIVE MODE"))
        await connection.execute(text(f"CREATE TABLE {name} (LIKE usage_record INCLUDING ALL)"))
        await connection.execute(text("LOCK TABLE usage_record_default IN ACCESS EXCLUSIVE MODE"))
        await connection.execute(
            text(
                f"WITH moved AS (DELETE FROM usage_record_default WHERE {inside} RETURNING *) "  # noqa: S608
                f"INSERT INTO {name} SELECT * FROM moved"
            )
        )
        await connection.execute(
            text(f"ALTER TABLE usage_record ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")
        )
    return True


async def _acquire_lock(connection: AsyncConnection) -> None:
    """Take the housekeeping lock. A table locked by a long read is left for later: waiting for its lock would block
    all settlements behind it."""
    await locks.acquire(connection, Lock.HOUSEKEEPING)
    await connection.execute(text("SET LOCAL lock_timeout = '1s'"))


def partition(day: date) -> str:
    """The name of a day's partition."""
    return f"usage_record_{day:%Y%m%d}"


async def apply_retention(engine: AsyncEngine, day: date) -> int:
    """Delete the entries of calls made before `day` (UTC), per meter, and add them to the archived counts of packs and
    meters. Hourly totals stay. Returns the number of entries deleted."""
    floor = ids.first_id_of_day(day)
    async with reading_connection(engine) as connection:
        meters = (await connection.execute(select(MeterRow.account_id, MeterRow.capability))).all()
    dropped = 0
    for account_id, capability in meters:
        async with engine.begin() as connection:
            dropped += await _archive(connection, account_id, capability, floor)
    await _drop_partitions(engine, day)
    return dropped


async def _archive(connection: AsyncConnection, account_id: str, capability: str, floor: str) -> int:
    if connection.dialect.name == "postgresql":
        await _acquire_lock(connection)
    await reconciliation.block_reconciliation(connection)
    old = (RecordRow.account_id == account_id, RecordRow.capability == capability, RecordRow.call_id < floor)
    query = select(RecordRow.pack_id, func.sum(RecordRow.units), func.count()).where(*old).group_by(RecordRow.pack_id)
    sums = [(pack_id, int(units), int(count)) for pack_id, units, count in await connection.execute(query)]
    if not sums:
        return 0
    await reconciliation.add_archived(connection, (account_id, capability), old)
    # No call writes entries of such old days, so no meter is locked. Rows that settlement needs are updated last.
    await connection.execute(delete(RecordRow).where(*old))
    for pack_id, units, _ in sums:
        if pack_id is not None:
            await connection.execute(
                update(PackRow).where(PackRow.id == pack_id).values(archived=PackRow.archived + units)
            )
    dropped = sum(count for _, _, count in sums)
    await connection.execute(
        update(MeterRow)
        .where(MeterRow.account_id == account_id, MeterRow.capability == capability)
        .values(archived_lines=MeterRow.archived_lines + dropped)
    )
    return dropped


async def _drop_partitions(engine: AsyncEngine, day: date) -> None:
    """Drop old partitions without rows."""
    if engine.dialect.name != "postgresql":
        return
    query = text("SELECT relid::regclass::text FROM pg_partition_tree('usage_record') WHERE isleaf")
    async with engine.begin() as connection:
        await _acquire_lock(connection)
        for name in list(await connection.scalars(query)):
            if name == "usage_record_default" or name >= partition(day):
                continue
            if not await connection.scalar(text(f"SELECT EXISTS (SELECT FROM {name})")):  # noqa: S608
                await connection.execute(text(f"DROP TABLE {name}"))
