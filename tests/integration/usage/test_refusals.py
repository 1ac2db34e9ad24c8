"""Refused calls are counted in bounded memory and written in batches, without delaying calls."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from inkgate.service.accounts import service as accounts
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.settings import Database
from inkgate.service.usage.models import UNKNOWN_ID, RefusalRow
from inkgate.service.usage.refusals import MAX_KEYS, Refusals, RefusalWriter, RefusedCall
from tests.ledger_data import START, CustomerData


async def written(customer: CustomerData) -> list[tuple[str, str, str, int, int]]:
    async with work.read_session(customer.engine) as session:
        rows = await session.scalars(select(RefusalRow).order_by(RefusalRow.code))
        return [(row.account_id, row.app_id, row.capability, row.code, row.calls) for row in rows]


async def test_two_gateways_add_to_the_same_hour(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        sub = await accounts.create_account(unit, "sub", parent_id=customer.account_id)
    counts = [Refusals(), Refusals()]
    for each in counts:
        each.count(RefusedCall("", "", "", 10002))
        each.count(RefusedCall(customer.account_id, "", "", 40002))
        each.count(RefusedCall(sub.id, customer.app.app_id, "general", 42900))
        each.count(RefusedCall(sub.id, customer.app.app_id, "general", 42900))
    writers = [RefusalWriter(customer.engine, each, clock=customer.clock) for each in counts]
    await asyncio.gather(*(writer.write() for writer in writers))
    await asyncio.gather(*(writer.write() for writer in writers))  # no count is written twice
    assert await written(customer) == [
        (UNKNOWN_ID, UNKNOWN_ID, "", 10002, 2),
        (customer.account_id, UNKNOWN_ID, "", 40002, 2),
        (customer.account_id, customer.app.app_id, "general", 42900, 4),  # the main account pays
    ]
    async with work.read_session(customer.engine) as session:
        assert set(await session.scalars(select(RefusalRow.hour))) == {START}


def test_the_number_of_distinct_refusals_is_bounded() -> None:
    refusals = Refusals()
    for number in range(MAX_KEYS + 500):
        refusals.count(RefusedCall("account", f"app {number}", "general", 42900))
    taken = refusals.drain()
    assert len(taken) == MAX_KEYS + 1 and sum(taken.values()) == MAX_KEYS + 500
    assert taken[RefusedCall("", "", "", 42900)] == 500
    assert refusals.drain() == {}


async def test_an_unreachable_database_loses_no_counts(customer: CustomerData) -> None:
    away = engines.create(Database(url="sqlite+aiosqlite:////nowhere/at.all"))
    refusals = Refusals()
    refusals.count(RefusedCall("", "", "general", 50000))
    await RefusalWriter(away, refusals).close()  # does not raise
    await away.dispose()
    writer = RefusalWriter(customer.engine, refusals, clock=customer.clock)
    await writer.start()
    await writer.close()  # writes what is left
    assert await written(customer) == [(UNKNOWN_ID, UNKNOWN_ID, "general", 50000, 1)]


async def test_counts_are_written_periodically(customer: CustomerData) -> None:
    refusals = Refusals()
    writer = RefusalWriter(customer.engine, refusals, seconds=0.01, clock=customer.clock)
    await writer.start()
    async with asyncio.timeout(10):
        for number in (1, 2):
            refusals.count(RefusedCall("", "", "general", 50000))
            while await written(customer) != [(UNKNOWN_ID, UNKNOWN_ID, "general", 50000, number)]:
                await asyncio.sleep(0.01)
    await writer.close()
