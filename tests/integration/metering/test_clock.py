"""A wrong clock charges nothing, delivers nothing and changes nothing, on both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text, update

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import work
from inkgate.service.db.clock import CheckedClock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ClockSuspect, Refused
from inkgate.service.metering import SqlLedger, housekeeping
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.metering.reconciliation import ReconciliationState
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.orders.vouchers import issue_voucher
from inkgate.service.settings import Ledger
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.usage.models import HourRow, RefusalRow
from inkgate.service.usage.refusals import Refusals, RefusalWriter, RefusedCall
from tests.gateway import GatewayUnderTest, body_of
from tests.images import padded_png
from tests.ledger_data import START, CustomerData

JUMPS = (timedelta(days=40), timedelta(days=-40), timedelta(minutes=6), timedelta(minutes=-6))


class Clocks(CheckedClock):
    """The checked clock of a gateway, over three clocks that a test can set."""

    def __init__(self) -> None:
        self.database = self.own = START.timestamp()
        self.passed = 0.0
        super().__init__(wall=lambda: self.own, elapsed=lambda: self.passed)

    def __call__(self, database: datetime) -> datetime:
        return super().__call__(datetime.fromtimestamp(self.database, UTC))

    def advance(self, span: timedelta) -> None:
        """Advance all clocks."""
        self.database += span.total_seconds()
        self.own += span.total_seconds()
        self.passed += span.total_seconds()


class Till:
    """A customer, clocks, and a ledger that uses them, without a cache of balances."""

    def __init__(self, customer: CustomerData) -> None:
        self.customer, self.clocks, self.metrics = customer, Clocks(), Metrics("gateway", "test")
        self.ledger = SqlLedger(customer.engine, clock=self.clocks, balance_ttl=0.0, metrics=self.metrics)

    async def admit(self, units: int = 1) -> None:
        await self.ledger.admit(self.customer.account_id, self.customer.app.app_id, "general", units)

    async def state(self) -> list[object]:
        """Everything that a settlement could change."""
        async with work.read_session(self.customer.engine) as session:
            rows: list[object] = []
            for table in (MeterRow, PackRow, HourRow, RefusalRow):
                found = await session.scalars(select(table))
                rows += [{each.name: getattr(row, each.name) for each in table.__table__.columns} for row in found]
            return [*rows, len(await self.customer.lines())]

    def refusals(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("inkgate_clock_refusals_total", {"reason": reason}) or 0.0


@pytest.fixture
def till(customer: CustomerData) -> Till:
    return Till(customer)


async def suspect(awaitable: Awaitable[object]) -> str:
    with pytest.raises(ClockSuspect) as caught:
        await awaitable
    return caught.value.reason


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_database_whose_clock_jumps_charges_nothing_and_changes_nothing(till: Till, jump: timedelta) -> None:
    pack = await till.customer.grant(1000)
    await till.ledger.settle(till.customer.call())
    before = await till.state()
    till.clocks.database += jump.total_seconds()
    assert await suspect(till.admit()) == "database"
    assert await suspect(till.ledger.settle(till.customer.call())) == "database"
    assert await till.state() == before
    assert till.refusals("database") == 2
    till.clocks.database -= jump.total_seconds()
    await till.admit(999)
    assert await till.ledger.settle(till.customer.call())
    assert await till.customer.used(pack) == 2


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_a_jump_of_the_shared_clock_of_one_machine_is_detected(till: Till, jump: timedelta) -> None:
    await till.customer.grant(1000)
    await till.ledger.settle(till.customer.call())
    before = await till.state()
    till.clocks.database += jump.total_seconds()
    till.clocks.own += jump.total_seconds()
    assert await suspect(till.admit()) == "own"
    assert await suspect(till.ledger.admit(till.customer.account_id, till.customer.app.app_id, "licence", 1)) == "own"
    assert await suspect(till.clocks.check()) == "own", "this gateway is out of the rotation"
    till.clocks.advance(timedelta(hours=1))
    assert await suspect(till.ledger.settle(till.customer.call())) == "own"
    assert await till.state() == before
    till.clocks.database -= jump.total_seconds()
    till.clocks.own -= jump.total_seconds()
    await till.admit()
    assert await till.ledger.settle(till.customer.call())


async def test_small_steps_of_a_corrected_clock_never_add_up(till: Till) -> None:
    await till.customer.grant(1000)
    for _ in range(20):
        till.clocks.advance(timedelta(hours=1))
        till.clocks.own += 60
        till.clocks.database += 60
        await till.admit()
        assert await till.ledger.settle(till.customer.call())


async def test_drift_over_a_month_without_readings_is_no_jump(till: Till) -> None:
    await till.customer.grant(1000)
    till.clocks.advance(timedelta(days=30))
    till.clocks.own += 1200
    till.clocks.database += 1200
    await till.admit()
    till.clocks.advance(timedelta(days=30))
    till.clocks.own += 86_400
    till.clocks.database += 86_400
    for _ in range(3):  # the next reading after a refused one is refused as well
        assert await suspect(till.admit()) == "own"
        till.clocks.advance(timedelta(hours=12))


async def test_a_meter_that_was_idle_for_months_is_not_a_jump(till: Till) -> None:
    await till.customer.grant(1000)
    await till.ledger.settle(till.customer.call())
    till.clocks.advance(timedelta(days=100))
    await till.admit()
    assert await till.ledger.settle(till.customer.call())
    assert (await till.customer.lines())[-1].settled_at == START + timedelta(days=100)


async def test_a_meter_is_not_created_with_a_wrong_clock(till: Till) -> None:
    till.clocks.database += 40 * 86_400
    assert await suspect(till.ledger.settle(till.customer.call(0, capability="licence"))) == "database"
    assert await till.state() == [0]


async def test_a_meter_ahead_of_both_clocks_is_refused_before_any_work(till: Till) -> None:
    pack = await till.customer.grant(1000)
    await till.ledger.settle(till.customer.call())
    async with till.customer.engine.begin() as connection:
        await connection.execute(update(MeterRow).values(settled_at=START + timedelta(days=40)))
    before = await till.state()
    assert await suspect(till.admit()) == "meter"
    assert await suspect(till.ledger.settle(till.customer.call())) == "meter"
    assert await till.state() == before
    assert till.refusals("meter") == 2
    assert await till.customer.used(pack) == 1


async def test_within_the_bound_time_never_goes_back(till: Till) -> None:
    await till.customer.grant(1000)
    till.clocks.advance(timedelta(minutes=1))
    await till.ledger.settle(till.customer.call())
    till.clocks.database -= 180
    assert await till.ledger.settle(till.customer.call())
    first, second = await till.customer.lines()
    assert first.settled_at == second.settled_at == START + timedelta(minutes=1)


async def test_admission_uses_the_time_of_settlement(till: Till) -> None:
    await till.customer.grant(1000)
    await till.customer.grant(1000, ends_at=START + timedelta(minutes=10))
    till.clocks.advance(timedelta(minutes=11))
    await till.ledger.settle(till.customer.call(1000))
    till.clocks.database -= 120  # the second pack seems valid again
    for attempt in (till.admit(), till.ledger.settle(till.customer.call())):
        with pytest.raises(Refused) as caught:
            await attempt
        assert caught.value.code == 51003


ACTS: dict[str, Callable[[UnitOfWork, CustomerData, str], Awaitable[object]]] = {
    "a pack": lambda unit, customer, pack: metering.grant_pack(unit, customer.account_id, "general", 5),
    "an order": lambda unit, customer, pack: orders.place_order(
        unit, customer.account_id, {"general-100k": 1}, approval="immediate"
    ),
    "a refund": lambda unit, customer, pack: refunds.request_refund(unit, pack),
    "a voucher": lambda unit, customer, pack: issue_voucher(unit, "credit", 100),
}


@pytest.mark.parametrize("what", ACTS)
@pytest.mark.parametrize("jump", [timedelta(days=40), timedelta(days=-40)], ids=str)
async def test_nothing_is_created_with_a_wrong_clock(till: Till, what: str, jump: timedelta) -> None:
    customer = till.customer
    async with work.unit_of_work(customer.engine, "test", till.clocks) as unit:
        await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="immediate")
        (pack,) = await metering.packs_of(unit.session, customer.account_id)
    before = await till.state()
    till.clocks.database += jump.total_seconds()
    with pytest.raises(ClockSuspect):
        async with work.unit_of_work(customer.engine, "test", till.clocks) as unit:
            await ACTS[what](unit, customer, pack.id)
    assert await till.state() == before
    till.clocks.database -= jump.total_seconds()
    async with work.unit_of_work(customer.engine, "test", till.clocks) as unit:
        await ACTS[what](unit, customer, pack.id)


async def test_housekeeping_and_statistics_wait_for_the_clock(till: Till) -> None:
    """With a clock two years ahead retention would delete every entry."""
    customer, reported = till.customer, list[ReconciliationState]()
    await customer.grant(10)
    await till.ledger.settle(customer.call())
    counted = Refusals()
    counted.count(RefusedCall(customer.account_id, customer.app.app_id, "general", 51003))
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(retention_days=30), reported.append, clock=till.clocks)
    writer = RefusalWriter(customer.engine, counted, clock=till.clocks)
    before = await till.state()
    till.clocks.database += 730 * 86_400
    for attempt in (keeper.run_round(), writer.write()):
        with pytest.raises(ClockSuspect):
            await attempt
    assert (await till.state(), reported) == (before, [])
    till.clocks.database -= 730 * 86_400
    await writer.write()
    assert len(await till.state()) == len(before) + 1


async def test_a_call_gets_the_contracts_internal_error_and_no_work_is_done() -> None:
    gateway, body = GatewayUnderTest(), body_of(CAPABILITIES["general"], padded_png(300))

    async def refuse(*_call: object) -> None:
        raise ClockSuspect("database", "40 days ahead of this machine's")

    gateway.ledger.admit = refuse  # type: ignore[method-assign]
    answer = await gateway.call(CAPABILITIES["general"], body)
    assert (answer.status_code, answer.json()["statusCode"], gateway.broker.tasks) == (500, 50000, [])
    assert "40 days" not in answer.text
    del gateway.ledger.admit
    gateway.ledger.fail = ClockSuspect("own", "set while the call was in work")
    answer = await gateway.call(CAPABILITIES["general"], body)
    assert (answer.status_code, answer.json()["statusCode"], gateway.ledger.units) == (500, 50000, 0)


async def test_sign_in_and_audit_trail_still_work(till: Till) -> None:
    till.clocks.database += 40 * 86_400
    async with work.unit_of_work(till.customer.engine, "test", till.clocks) as unit:
        assert abs(await unit.now() - datetime.now(UTC)) < timedelta(minutes=1)
    async with till.customer.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM audit_event"))
