"""Packs are held against lines without reading the whole ledger each time, by one gateway at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import work
from inkgate.service.metering import housekeeping, reconciliation
from inkgate.service.metering.models import CheckPackRow, CheckRow, PackRow
from inkgate.service.metering.reconciliation import FULL_RECHECK, INCREMENTAL, ReconciliationState, RoundLimits
from inkgate.service.settings import Ledger
from tests.integration.metering.test_ledger_reader import busy_life, old_id
from tests.money import START, House

DAYS = timedelta(days=30)
SMALL = RoundLimits(step=2)
AGAIN_ALL = RoundLimits(step=2, recheck_lines=1000, recheck_meters=1000)


async def checked(house: House, bounds: RoundLimits = SMALL) -> ReconciliationState:
    return await reconciliation.reconcile(house.engine, bounds, DAYS, house.clock)


async def read(house: House, kind: int = INCREMENTAL) -> int:
    """Lines that a reading has counted."""
    async with work.reading(house.engine) as session:
        return await session.scalar(select(func.sum(CheckRow.lines)).where(CheckRow.kind == kind)) or 0


class Reads:
    """Steps that read lines, seen at the driver."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.count = 0
        event.listen(engine.sync_engine, "before_cursor_execute", self._see)

    def _see(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        self.count += "FROM usage_record" in statement and "sum(" in statement


async def test_sound_books_have_no_drift_and_nothing_is_left_unread(house: House) -> None:
    await busy_life(house)
    assert await checked(house) == ReconciliationState(0, 0, house.clock.time)
    assert await read(house) == await house.count() > 8


async def test_a_line_is_read_once(house: House) -> None:
    await busy_life(house)
    reads = Reads(house.engine)
    await checked(house)
    first, reads.count = reads.count, 0
    assert first >= 5  # two lines a step
    await checked(house)
    assert reads.count == 0
    await house.ledger().settle(house.call(1))
    assert (await checked(house)).drift == 0
    assert (reads.count, await read(house)) == (1, await house.count())


async def test_drift_is_what_packs_and_lines_disagree_about(house: House) -> None:
    await busy_life(house)
    async with house.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE units = 3"))
    assert (await checked(house)).drift == 3


async def test_a_pack_changed_later_is_seen_in_the_next_round(house: House) -> None:
    pack = await house.grant(100)
    await house.ledger().settle(house.call(5))
    assert (await checked(house)).drift == 0
    async with house.engine.begin() as connection:
        await connection.execute(update(PackRow).where(PackRow.id == pack).values(used=12))
    assert (await checked(house)).drift == 7
    await house.ledger().settle(house.call(1))  # a meter on the move is seen as well
    assert (await checked(house)).drift == 7


async def test_an_old_line_changed_later_is_seen_by_the_second_reading_alone(house: House) -> None:
    """What was read is not read again in the rounds that follow: it takes the days of the second reading."""
    await house.grant(100)
    ledger = house.ledger()
    for _ in range(7):
        await ledger.settle(house.call(2))
    assert (await checked(house, AGAIN_ALL)).drift == 0
    async with house.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 1 WHERE seq = 3"))
    house.clock.pass_(days=29)
    assert (await checked(house, AGAIN_ALL)).drift == 0
    house.clock.pass_(days=2)
    assert (await checked(house, AGAIN_ALL)).drift == 1
    assert (await checked(house)).drift == 1  # and is told until it is put right
    async with house.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 2 WHERE seq = 3"))
    await reconciliation.restart_from_first_line(house.engine)
    assert (await checked(house, AGAIN_ALL)).drift == 0


async def test_the_second_reading_goes_on_where_it_was(house: House) -> None:
    await house.grant(100)
    ledger = house.ledger()
    for _ in range(7):
        await ledger.settle(house.call(2))
    seen = []
    for _ in range(5):
        await checked(house, replace(SMALL, recheck_lines=2, recheck_meters=1))
        house.clock.pass_(hours=1)
        seen.append(await read(house, FULL_RECHECK))
    assert seen == [2, 4, 6, 7, 7]


async def test_a_round_is_bounded_and_the_next_one_goes_on(house: House) -> None:
    await house.grant(100)
    ledger = house.ledger()
    for _ in range(7):
        await ledger.settle(house.call(1))
    begun = house.clock.time
    left = []
    for _ in range(4):
        found = await checked(house, RoundLimits(lines=2, step=2))
        left.append((found.backlog, found.checked_at == begun))
        house.clock.pass_(minutes=15)
    # Until everything was read once, "last compared" is when reading began.
    assert left == [(5, True), (3, True), (1, True), (0, False)]
    assert (await checked(house, RoundLimits(seconds=0.0))).backlog == 0


async def test_of_two_gateways_one_reads(house: House) -> None:
    """The other reports what is known. SQLite has one gateway, and one writer at a time."""
    await busy_life(house)
    known = await checked(house)
    await house.ledger().settle(house.call(1))
    if house.engine.dialect.name == "sqlite":
        return
    reads = Reads(house.engine)
    async with house.engine.begin() as other:
        await reconciliation.block_reconciliation(other)
        house.clock.pass_(minutes=15)
        assert await checked(house) == known
    assert reads.count == 0
    assert (await checked(house)).checked_at == house.clock.time


async def test_gateways_that_start_together_count_no_line_twice(house: House) -> None:
    await house.grant(1000)
    ledger = house.ledger()
    for _ in range(30):
        await ledger.settle(house.call(2))
    found = await asyncio.gather(*(checked(house) for _ in range(4)))
    last = await checked(house)
    assert {each.drift for each in found} | {last.drift} == {0}
    assert await read(house) == 30
    async with work.reading(house.engine) as session:
        assert list(await session.scalars(select(CheckPackRow.units))) == [60]


async def test_what_retention_drops_is_not_missed(house: House) -> None:
    """Lines dropped after, while and before they are read."""
    today = START.date()
    await house.grant(100)
    ledger = house.ledger()
    for age in (40, 30, 20, 10, 0):
        await ledger.settle(house.call(3, call_id=old_id(today - timedelta(days=age))))
    await housekeeping.apply_retention(house.engine, today - timedelta(days=35))
    bounds = RoundLimits(lines=2, step=1, recheck_lines=1, recheck_meters=1)
    await checked(house, bounds)
    await housekeeping.apply_retention(house.engine, today - timedelta(days=5))
    for _ in range(8):
        assert (await checked(house, bounds)).drift == 0
    assert (await house.count(), await read(house), await read(house, FULL_RECHECK)) == (1, 5, 5)


async def test_a_call_settled_long_after_it_was_made_is_not_missed(house: House) -> None:
    await house.grant(100)
    ledger = house.ledger()
    for age in (0, 20, 1):
        await ledger.settle(house.call(2, call_id=old_id(START.date() - timedelta(days=age))))
        assert (await checked(house)).drift == 0
    assert await read(house) == 3


async def test_every_line_is_read_again_in_the_days_that_the_setting_says(house: House) -> None:
    await busy_life(house)
    keeper = housekeeping.Housekeeper(house.engine, Ledger(recheck_days=1), lambda found: None, clock=house.clock)
    await keeper.run_round()
    assert await read(house, FULL_RECHECK) == await house.count()
    async with house.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET units = 2 WHERE units = 3"))
    house.clock.pass_(days=1, minutes=1)
    assert (await keeper.run_round()).drift == 1
