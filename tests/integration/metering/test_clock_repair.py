"""Repair after a wrong clock: the meter settles again, and hours have the totals of their calls."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids, work
from inkgate.service.errors import ClockSuspect
from inkgate.service.metering import clock_repair, ledger_reader
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.usage import rollup
from inkgate.service.usage.models import DayRow, HourRow, RefusalRow, RollupStateRow
from inkgate.service.usage.refusals import Refusals, RefusalWriter, RefusedCall
from tests.ledger_data import START, CustomerData

JUMP = timedelta(days=40)


def made(moment: datetime) -> str:
    """A call id made at `moment`."""
    milliseconds = int(moment.timestamp() * 1000)
    return ids._compose(milliseconds, int.from_bytes(ids.new().encode()[-8:]))


async def settled_in_the_future(customer: CustomerData) -> None:
    """Two calls at the right time, three with the clock 40 days ahead; then it is right again."""
    await customer.grant(6)
    await customer.grant(1000)
    ledger = customer.ledger()
    for units in (1, 2):
        await ledger.settle(customer.call(units, call_id=made(customer.clock.time)))
        customer.clock.advance(hours=1)
    truth = customer.clock.time
    customer.clock.time += JUMP
    await ledger.settle(customer.call(3, call_id=made(truth)))  # the last units of the first pack
    customer.clock.advance(hours=1)
    await ledger.settle(customer.call(4, call_id=made(truth + timedelta(hours=1)), code=410001))
    await ledger.settle(customer.call(0, capability="licence", call_id=made(truth + timedelta(hours=1))))
    counted = Refusals()
    counted.count(RefusedCall(customer.account_id, customer.app.app_id, "general", 42900), 5)
    await RefusalWriter(customer.engine, counted, clock=customer.clock).write()
    await rollup.roll_up(customer.engine, customer.clock)
    customer.clock.time = truth + timedelta(days=3)


async def repair(customer: CustomerData) -> clock_repair.Findings:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        found = await clock_repair.find_future_data(unit)
    for each in found.meters:
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await clock_repair.repair_meter(unit, (each.account_id, each.capability))
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await clock_repair.repair_statistics(unit)
    return found


async def hours(customer: CustomerData) -> list[tuple[float, str, int, int, int]]:
    async with work.read_session(customer.engine) as session:
        rows = await session.scalars(select(HourRow).order_by(HourRow.hour, HourRow.capability))
        return [
            ((row.hour - START) / timedelta(hours=1), row.capability, row.code, row.calls, row.units) for row in rows
        ]


async def test_a_meter_in_the_future_settles_again(customer: CustomerData) -> None:
    await settled_in_the_future(customer)
    with pytest.raises(ClockSuspect):
        await customer.ledger().settle(customer.call())
    lines = [(line.seq, line.settled_at, line.units) for line in await customer.lines()]
    found = await repair(customer)
    assert [(each.capability, each.packs, each.hours, each.calls, each.units) for each in found.meters] == [
        ("general", 1, 2, 2, 7),
        ("licence", 0, 1, 1, 0),
    ]
    assert [(line.seq, line.settled_at, line.units) for line in await customer.lines()] == lines
    await customer.ledger().admit(customer.account_id, customer.app.app_id, "general", 5)
    assert await customer.ledger().settle(customer.call(5))
    async with work.snapshot_session(customer.engine) as session:
        assert await ledger_reader.verify_database(session) == []
        now = customer.clock.time
        assert all(each <= now for each in await session.scalars(select(MeterRow.settled_at)))


async def test_hours_and_exhaustion_times_move_to_the_time_of_the_calls(customer: CustomerData) -> None:
    await settled_in_the_future(customer)
    await repair(customer)
    assert await hours(customer) == [
        (0.0, "general", 0, 1, 1),
        (1.0, "general", 0, 1, 2),
        (2.0, "general", 0, 1, 3),
        (3.0, "general", 410001, 1, 4),
        (3.0, "licence", 0, 1, 0),
    ]
    async with work.read_session(customer.engine) as session:
        (spent,) = await session.scalars(select(PackRow.exhausted_at).where(PackRow.exhausted_at.is_not(None)))
        assert timedelta(0) <= spent - START - timedelta(hours=2) < timedelta(seconds=3)
        (refused,) = await session.scalars(select(RefusalRow))
        assert (refused.hour, refused.calls) == (customer.clock.time.replace(second=0), 5)


async def test_days_are_summed_up_again(customer: CustomerData) -> None:
    await settled_in_the_future(customer)
    await repair(customer)
    await rollup.roll_up(customer.engine, customer.clock)
    async with work.read_session(customer.engine) as session:
        rows = (await session.scalars(select(DayRow).where(DayRow.level == 3))).all()
        assert sum(row.units for row in rows) == 10
        assert max(row.day for row in rows) < customer.clock.time
        assert (await session.scalars(select(RollupStateRow.until))).one() < customer.clock.time


async def test_hours_that_no_entry_explains_are_kept(customer: CustomerData) -> None:
    """Retention or a restore may have removed the entries; the usage must stay in the bill."""
    await settled_in_the_future(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE units = 4"))
    await repair(customer)
    assert (74.0, "general", 410001, 1, 4) in await hours(customer)


async def test_repairing_twice_changes_nothing_more(customer: CustomerData) -> None:
    await settled_in_the_future(customer)
    await repair(customer)
    once = await hours(customer)
    found = await repair(customer)
    assert (found.is_empty, await hours(customer)) == (True, once)


async def test_a_valid_ledger_needs_no_repair(customer: CustomerData) -> None:
    await customer.grant(10)
    await customer.ledger().settle(customer.call(3))
    before = await hours(customer)
    assert (await repair(customer)).is_empty
    assert await hours(customer) == before


async def test_the_search_changes_nothing_and_repairs_are_audited(customer: CustomerData) -> None:
    await settled_in_the_future(customer)
    before = await hours(customer)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await clock_repair.find_future_data(unit)
    assert await hours(customer) == before
    await repair(customer)
    async with work.read_session(customer.engine) as session:
        events = (await session.scalars(select(EventRow).where(EventRow.action == "ledger.repair_clock"))).all()
    assert sorted(event.subject for event in events) == ["meter general", "meter licence", "refused calls"]
    assert {event.detail["lines"] for event in events if event.account_id} == {1, 2}
