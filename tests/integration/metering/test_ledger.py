"""The ledger on both databases: admission, deduction, refusals, entries."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import select

from inkgate.service.db import engine as engines
from inkgate.service.db import ids, work
from inkgate.service.errors import DatabaseDown, LedgerBusy, PayerUnknown, Refused, SettlementUnconfirmed
from inkgate.service.metering import SqlLedger
from inkgate.service.metering import service as metering
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.settle import lock_meter
from inkgate.service.settings import Database
from inkgate.service.usage.models import HourRow
from tests.ledger_data import START, CustomerData
from tests.postgres import Postgres


async def refused(awaitable: object) -> object:
    with pytest.raises(Refused) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code


async def test_a_call_is_recorded_and_its_units_are_deducted(customer: CustomerData) -> None:
    pack = await customer.grant(10)
    ledger = customer.ledger()
    assert await ledger.settle(customer.call(3)) is True
    assert await customer.used(pack) == 3
    (line,) = await customer.lines()
    assert (line.pack_id, line.first_unit, line.units, line.images, line.line, line.seq) == (pack, 0, 3, 3, 0, 1)
    assert (line.client_ip, line.request_id, line.settled_at) == ("192.0.2.7", "their-own-id", customer.clock.time)


async def test_settling_a_call_again_changes_nothing(customer: CustomerData) -> None:
    pack = await customer.grant(10)
    ledger, call_id = customer.ledger(), ids.new()
    assert await ledger.settle(customer.call(2, call_id=call_id)) is True
    assert await ledger.settle(customer.call(2, call_id=call_id)) is False
    assert await ledger.settle(customer.call(2, call_id=call_id.upper())) is False
    assert (await customer.used(pack), await customer.count()) == (2, 1)


async def test_the_same_call_twice_in_one_batch_counts_once(customer: CustomerData) -> None:
    pack = await customer.grant(10)
    ledger, call = customer.ledger(), customer.call(2)
    results = await asyncio.gather(*(ledger.settle(call) for _ in range(5)))
    assert sorted(results) == [False, False, False, False, True]
    assert await customer.used(pack) == 2


async def test_a_call_may_span_packs_in_order_of_purchase_not_of_expiry(customer: CustomerData) -> None:
    first = await customer.grant(5)
    sooner_over = await customer.grant(5, ends_at=START + timedelta(days=2))
    third = await customer.grant(5)
    ledger = customer.ledger()
    await ledger.settle(customer.call(12))
    assert [await customer.used(each) for each in (first, sooner_over, third)] == [5, 5, 2]
    lines = await customer.lines()
    assert [(line.line, line.seq, line.pack_id, line.units) for line in lines] == [
        (0, 1, first, 5),
        (1, 2, sooner_over, 5),
        (2, 3, third, 2),
    ]
    assert [line.images for line in lines] == [12, 0, 0]


async def test_a_call_larger_than_what_is_left_is_refused_whole(customer: CustomerData) -> None:
    pack = await customer.grant(5)
    ledger = customer.ledger()
    await ledger.admit(customer.account_id, customer.app.app_id, "general", 5)
    assert await refused(ledger.admit(customer.account_id, customer.app.app_id, "general", 6)) == 51003
    assert await refused(ledger.settle(customer.call(6))) == 51003
    assert (await customer.used(pack), await customer.count()) == (0, 0)
    assert await ledger.settle(customer.call(5))


async def test_the_three_codes(customer: CustomerData) -> None:
    ledger, app = customer.ledger(), customer.app.app_id
    assert await refused(ledger.admit(customer.account_id, app, "general", 0)) == 51002
    assert await refused(ledger.settle(customer.call())) == 51002
    await customer.grant(1)
    await ledger.settle(customer.call())
    assert await refused(ledger.admit(customer.account_id, app, "general", 0)) == 51003
    assert await refused(ledger.settle(customer.call())) == 51003
    customer.clock.advance(days=366)
    assert await refused(ledger.admit(customer.account_id, app, "general", 0)) == 51001
    assert await refused(ledger.settle(customer.call())) == 51001
    assert await refused(ledger.admit(customer.account_id, app, "idcard", 1)) == 51002


async def test_validity_includes_its_start_and_excludes_its_end(customer: CustomerData) -> None:
    start, end = START + timedelta(hours=1), START + timedelta(hours=2)
    await customer.grant(10, starts_at=start, ends_at=end)
    ledger = customer.ledger()
    for moment, code in ((start - timedelta(seconds=1), 51001), (end, 51001)):
        customer.clock.time = moment
        assert await refused(ledger.admit(customer.account_id, customer.app.app_id, "general", 1)) == code
    customer.clock.time = start
    assert await ledger.settle(customer.call())
    customer.clock.time = end - timedelta(microseconds=1)
    assert await ledger.settle(customer.call())
    customer.clock.time = end
    assert await refused(ledger.settle(customer.call())) == 51001


async def test_a_pack_that_expires_between_admission_and_settling_is_not_charged(customer: CustomerData) -> None:
    pack = await customer.grant(10, ends_at=START + timedelta(hours=1))
    ledger = customer.ledger()
    await ledger.admit(customer.account_id, customer.app.app_id, "general", 1)
    customer.clock.advance(hours=1)
    assert await refused(ledger.settle(customer.call())) == 51001
    assert await customer.used(pack) == 0


async def test_a_bound_pack_serves_its_app_only_and_keeps_its_order(customer: CustomerData) -> None:
    other = await customer.another_app()
    bound = await customer.grant(5, app_id=customer.app.app_id)
    shared = await customer.grant(5)
    ledger = customer.ledger()
    await ledger.settle(customer.call(1, app_id=other.app_id))
    assert [await customer.used(bound), await customer.used(shared)] == [0, 1]
    await ledger.settle(customer.call(6))
    assert [await customer.used(bound), await customer.used(shared)] == [5, 2]


async def test_apps_of_one_account_may_get_different_codes(customer: CustomerData) -> None:
    bound = await customer.another_app()
    await customer.grant(1, app_id=bound.app_id)
    ledger = customer.ledger()
    assert await refused(ledger.admit(customer.account_id, customer.app.app_id, "general", 0)) == 51002
    await ledger.settle(customer.call(1, app_id=bound.app_id))
    assert await refused(ledger.admit(customer.account_id, bound.app_id, "general", 0)) == 51003


async def test_the_free_capability_needs_no_pack_and_is_recorded(customer: CustomerData) -> None:
    ledger = customer.ledger()
    await ledger.admit(customer.account_id, customer.app.app_id, "licence", 1)
    assert await ledger.settle(customer.call(1, capability="licence"))
    (line,) = await customer.lines()
    assert (line.pack_id, line.units) == (None, 1)


async def test_a_call_that_costs_nothing_is_recorded_without_a_pack(customer: CustomerData) -> None:
    ledger = customer.ledger()
    assert await ledger.settle(customer.call(0, code=500001))
    (line,) = await customer.lines()
    assert (line.pack_id, line.units, line.code) == (None, 0, 500001)


async def test_usage_of_a_sub_account_is_paid_by_the_main_one(customer: CustomerData) -> None:
    from inkgate.service.accounts import service as accounts

    pack = await customer.grant(10)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        child = await accounts.create_account(unit, "child", parent_id=customer.account_id)
        app = await accounts.create_app(unit, customer.vault, child.id, "child_app")
    ledger = customer.ledger()
    await ledger.admit(child.id, app.app_id, "general", 4)
    await ledger.settle(customer.call(4, app_id=app.app_id))
    assert await customer.used(pack) == 4
    (line,) = await customer.lines()
    assert (line.account_id, line.app_id) == (customer.account_id, app.app_id)


async def test_settlement_times_never_decrease(customer: CustomerData) -> None:
    await customer.grant(10)
    ledger = customer.ledger()
    await ledger.settle(customer.call())
    customer.clock.advance(minutes=-4)
    await ledger.settle(customer.call())
    first, second = await customer.lines()
    assert second.settled_at == first.settled_at
    assert (first.seq, second.seq) == (1, 2)


async def test_hours_add_up_by_app_capability_and_code(customer: CustomerData) -> None:
    await customer.grant(100)
    ledger = customer.ledger()
    await asyncio.gather(*(ledger.settle(customer.call(2)) for _ in range(5)))
    await ledger.settle(customer.call(1, code=400011))
    customer.clock.advance(hours=1)
    await ledger.settle(customer.call(1))
    async with work.read_session(customer.engine) as session:
        rows = list(await session.scalars(select(HourRow).order_by(HourRow.hour, HourRow.code)))
    assert [(row.code, row.calls, row.images, row.units, row.body_bytes, row.duration_ms) for row in rows] == [
        (0, 5, 10, 10, 5000, 100),
        (400011, 1, 1, 1, 1000, 20),
        (0, 1, 1, 1, 1000, 20),
    ]


async def test_two_gateways_compete_for_the_last_unit(customer: CustomerData) -> None:
    pack = await customer.grant(1)
    gateways = [customer.ledger(), customer.ledger()]
    for gateway in gateways:
        await gateway.admit(customer.account_id, customer.app.app_id, "general", 1)
    results = await asyncio.gather(*(gateway.settle(customer.call()) for gateway in gateways), return_exceptions=True)
    codes = sorted(str(each.code) if isinstance(each, Refused) else str(each) for each in results)
    assert codes == ["51003", "True"]
    assert (await customer.used(pack), await customer.count()) == (1, 1)


async def test_an_invalid_settlement_fails_alone(customer: CustomerData) -> None:
    await customer.grant(10)
    ledger = customer.ledger()
    invalid = customer.call()
    object.__setattr__(invalid, "body_bytes", 2**70)
    results = await asyncio.gather(
        ledger.settle(customer.call()), ledger.settle(invalid), ledger.settle(customer.call()), return_exceptions=True
    )
    assert [each is True for each in results] == [True, False, True]
    assert isinstance(results[1], SettlementUnconfirmed)
    assert await customer.count() == 2


async def test_a_cancelled_call_is_not_charged(customer: CustomerData) -> None:
    pack = await customer.grant(10)
    ledger = customer.ledger()
    first = asyncio.ensure_future(ledger.settle(customer.call()))
    leaving = asyncio.ensure_future(ledger.settle(customer.call()))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await first
    await ledger.close()
    assert await customer.used(pack) == 1


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////nowhere/inkgate.db", "postgresql+asyncpg://x@127.0.0.1:1/x"])
async def test_an_unreachable_ledger_fails_within_its_timeout(url: str) -> None:
    engine = engines.create(Database(url=url))
    ledger = SqlLedger(engine, timeout=0.3)
    unknown = ids.new()
    for attempt in (
        ledger.start(),
        ledger.admit(unknown, unknown, "general", 1),
        ledger.settle(Settlement(ids.new(), unknown, unknown, "general", 1, 1, 0, 0, 1, 1, "", "")),
    ):
        with pytest.raises(DatabaseDown):
            await attempt
    await engine.dispose()


async def test_a_closed_ledger_refuses_settlements(customer: CustomerData) -> None:
    ledger = customer.ledger()
    await ledger.start()
    await ledger.close()
    with pytest.raises(LedgerBusy):
        await ledger.settle(customer.call(0))


async def test_each_cause_of_a_failed_settlement_has_its_error(
    customer: CustomerData, monkeypatch: pytest.MonkeyPatch
) -> None:
    await customer.grant(10)
    invalid = dataclasses.replace(customer.call(), app_id=ids.new())
    for attempt in (
        customer.ledger().settle(invalid),
        customer.ledger().admit(customer.account_id, ids.new(), "general", 1),
    ):
        with pytest.raises(PayerUnknown):
            await attempt
    with pytest.raises(SettlementUnconfirmed, match="no commit within 0 s"):
        await customer.ledger(timeout=0.0).settle(customer.call())
    monkeypatch.setattr("inkgate.service.metering.ledger.MAX_PENDING", 0)
    with pytest.raises(LedgerBusy, match="too many"):
        await customer.ledger().settle(customer.call())
    assert await customer.count() == 0


async def test_a_pack_is_valid_for_a_year_to_the_second(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        pack = await metering.grant_pack(unit, customer.account_id, "general", 1)
    assert pack.ends_at == START.replace(year=START.year + 1)


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    return postgres.wiped()


async def test_a_gateway_frozen_inside_its_transaction_does_not_stop_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_TRANSACTION_TIMEOUT_SECONDS", 1)
    engine = engines.create(Database(url=postgres_url))
    customer = await CustomerData.build(engine)
    await customer.grant(10)
    await customer.ledger().settle(customer.call())
    async with engine.connect() as frozen:
        await lock_meter(frozen, customer.account_id, "general", customer.clock)  # and never commits
        assert await customer.ledger().settle(customer.call())
        await frozen.invalidate()
    assert await customer.count() == 2
    await engine.dispose()
