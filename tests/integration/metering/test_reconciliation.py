"""Packs are compared with ledger entries incrementally, by one gateway at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import work
from inkgate.service.metering import housekeeping, reconciliation
from inkgate.service.metering.models import CheckPackRow, CheckRow, PackRow
from inkgate.service.metering.reconciliation import FULL_RECHECK, INCREMENTAL, ReconciliationState, RoundLimits
from inkgate.service.settings import Ledger
from tests.integration.metering.test_ledger_reader import busy_life, old_id
from tests.ledger_data import START, CustomerData

DAYS = timedelta(days=30)
SMALL = RoundLimits(step=2)
AGAIN_ALL = RoundLimits(step=2, recheck_lines=1000, recheck_meters=1000)


async def checked(customer: CustomerData, bounds: RoundLimits = SMALL) -> ReconciliationState:
    return await reconciliation.reconcile(customer.engine, bounds, DAYS, customer.clock)


async def read(customer: CustomerData, kind: int = INCREMENTAL) -> int:
    """Entries that a pass has counted."""
    async with work.read_session(customer.engine) as session:
        return await session.scalar(select(func.sum(CheckRow.lines)).where(CheckRow.kind == kind)) or 0


class Reads:
    """Steps that read entries, counted at the driver."""

    count = 0

    def see(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.count += "FROM usage_record" in statement and "sum(" in statement


@pytest.fixture
def reads(engine: AsyncEngine) -> Iterator[Reads]:
    """The steps of this test; the engine is also that of other tests."""
    reads = Reads()
    event.listen(engine.sync_engine, "before_cursor_execute", reads.see)
    yield reads
    event.remove(engine.sync_engine, "before_cursor_execute", reads.see)


async def test_a_valid_ledger_has_no_drift_and_no_backlog(customer: CustomerData) -> None:
    await busy_life(customer)
    assert await checked(customer) == ReconciliationState(0, 0, customer.clock.time)
    assert await read(customer) == await customer.count() > 8


async def test_an_entry_is_read_once(customer: CustomerData, reads: Reads) -> None:
    await busy_life(customer)
    reads.count = 0
    await checked(customer)
    first, reads.count = reads.count, 0
    assert first >= 5  # two entries per step
    await checked(customer)
    assert reads.count == 0
    await customer.ledger().settle(customer.call(1))
    assert (await checked(customer)).drift == 0
    assert (reads.count, await read(customer)) == (1, await customer.count())


async def test_drift_is_the_difference_of_packs_and_entries(customer: CustomerData) -> None:
    await busy_life(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE units = 3"))
    assert (await checked(customer)).drift == 3


async def test_a_pack_changed_later_is_detected_in_the_next_round(customer: CustomerData) -> None:
    pack = await customer.grant(100)
    await customer.ledger().settle(customer.call(5))
    assert (await checked(customer)).drift == 0
    async with customer.engine.begin() as connection:
        await connection.execute(update(PackRow).where(PackRow.id == pack).values(used=12))
    assert (await checked(customer)).drift == 7
    await customer.ledger().settle(customer.call(1))  # also for a meter with new entries
    assert (await checked(customer)).drift == 7


async def test_an_old_entry_changed_later_is_detected_by_the_recheck_only(customer: CustomerData) -> None:
    """Incremental rounds do not read an entry again; only the recheck does, after some days."""
    await customer.grant(100)
    ledger = customer.ledger()
    for _ in range(7):
        await ledger.settle(customer.call(2))
    assert (await checked(customer, AGAIN_ALL)).drift == 0
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 1 WHERE seq = 3"))
    customer.clock.advance(days=29)
    assert (await checked(customer, AGAIN_ALL)).drift == 0
    customer.clock.advance(days=2)
    assert (await checked(customer, AGAIN_ALL)).drift == 1
    assert (await checked(customer)).drift == 1  # and is reported until it is corrected
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 2 WHERE seq = 3"))
    await reconciliation.restart_from_first_line(customer.engine)
    assert (await checked(customer, AGAIN_ALL)).drift == 0


async def test_the_recheck_continues_where_it_stopped(customer: CustomerData) -> None:
    await customer.grant(100)
    ledger = customer.ledger()
    for _ in range(7):
        await ledger.settle(customer.call(2))
    seen = []
    for _ in range(5):
        await checked(customer, replace(SMALL, recheck_lines=2, recheck_meters=1))
        customer.clock.advance(hours=1)
        seen.append(await read(customer, FULL_RECHECK))
    assert seen == [2, 4, 6, 7, 7]


async def test_a_round_is_bounded_and_the_next_one_continues(customer: CustomerData) -> None:
    await customer.grant(100)
    ledger = customer.ledger()
    for _ in range(7):
        await ledger.settle(customer.call(1))
    begun = customer.clock.time
    left = []
    for _ in range(4):
        found = await checked(customer, RoundLimits(lines=2, step=2))
        left.append((found.backlog, found.checked_at == begun))
        customer.clock.advance(minutes=15)
    # Until everything was read once, "last compared" is when reading began.
    assert left == [(5, True), (3, True), (1, True), (0, False)]
    assert (await checked(customer, RoundLimits(seconds=0.0))).backlog == 0


async def test_of_two_gateways_one_reads(customer: CustomerData, reads: Reads) -> None:
    """The other one reports the stored state. On SQLite there is one gateway and one writer."""
    await busy_life(customer)
    known = await checked(customer)
    await customer.ledger().settle(customer.call(1))
    if customer.engine.dialect.name == "sqlite":
        return
    reads.count = 0
    async with customer.engine.begin() as other:
        await reconciliation.block_reconciliation(other)
        customer.clock.advance(minutes=15)
        assert await checked(customer) == known
    assert reads.count == 0
    assert (await checked(customer)).checked_at == customer.clock.time


async def test_gateways_that_start_together_count_no_entry_twice(customer: CustomerData) -> None:
    await customer.grant(1000)
    ledger = customer.ledger()
    for _ in range(30):
        await ledger.settle(customer.call(2))
    found = await asyncio.gather(*(checked(customer) for _ in range(4)))
    last = await checked(customer)
    assert {each.drift for each in found} | {last.drift} == {0}
    assert await read(customer) == 30
    async with work.read_session(customer.engine) as session:
        assert list(await session.scalars(select(CheckPackRow.units))) == [60]


async def test_entries_deleted_by_retention_are_counted(customer: CustomerData) -> None:
    """Entries deleted before, while and after they are read."""
    today = START.date()
    await customer.grant(100)
    ledger = customer.ledger()
    for age in (40, 30, 20, 10, 0):
        await ledger.settle(customer.call(3, call_id=old_id(today - timedelta(days=age))))
    await housekeeping.apply_retention(customer.engine, today - timedelta(days=35))
    bounds = RoundLimits(lines=2, step=1, recheck_lines=1, recheck_meters=1)
    await checked(customer, bounds)
    await housekeeping.apply_retention(customer.engine, today - timedelta(days=5))
    for _ in range(8):
        assert (await checked(customer, bounds)).drift == 0
    assert (await customer.count(), await read(customer), await read(customer, FULL_RECHECK)) == (1, 5, 5)


async def test_a_call_settled_long_after_its_start_is_counted(customer: CustomerData) -> None:
    await customer.grant(100)
    ledger = customer.ledger()
    for age in (0, 20, 1):
        await ledger.settle(customer.call(2, call_id=old_id(START.date() - timedelta(days=age))))
        assert (await checked(customer)).drift == 0
    assert await read(customer) == 3


async def test_every_entry_is_read_again_within_the_days_of_the_setting(customer: CustomerData) -> None:
    await busy_life(customer)
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(recheck_days=1), lambda found: None, clock=customer.clock)
    await keeper.run_round()
    assert await read(customer, FULL_RECHECK) == await customer.count()
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 2 WHERE units = 3"))
    customer.clock.advance(days=1, minutes=1)
    assert (await keeper.run_round()).drift == 1
