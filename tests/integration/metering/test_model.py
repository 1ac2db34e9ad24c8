"""The ledger compared with a small model: purchases, calls, expiries, refunds and crashes in any order.

Time is the test's. A short run is part of every test run; INKGATE_LONG_TESTS=1 makes it a long one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from inkgate.service.db import engine as engines
from inkgate.service.db import ids, work
from inkgate.service.db.clock import MAX_CLOCK_DIFFERENCE
from inkgate.service.errors import ClockSuspect, LedgerUnavailable, Misuse, Refused
from inkgate.service.metering import ledger, ledger_reader
from inkgate.service.metering.models import PackRow
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.settings import Database
from tests.ledger_data import CustomerData

LONG = os.environ.get("INKGATE_LONG_TESTS") == "1"
PROFILE = settings(
    max_examples=400 if LONG else 8,
    stateful_step_count=60 if LONG else 20,
    deadline=None,
    derandomize=not LONG,  # the suite uses fixed examples; the long run searches for new ones
    suppress_health_check=list(HealthCheck),
)
SIZES = {"tiny-5": 5, "tiny-30": 30}
numbers = itertools.count()


@dataclass(slots=True)
class Pack:
    """A pack in the model."""

    id: str
    app: int | None
    total: int
    ordered: datetime
    start: datetime
    end: datetime
    used: int = 0
    refund: str | None = None
    gone: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """Runs the actions of customers and operators, and faults, on a ledger and on the model."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.packs: list[Pack] = []
        self.calls: list[tuple[str, int, int]] = []  # recorded: id, app, units
        self.pending: list[tuple[str, datetime]] = []  # orders
        self.run = self.runner.run
        self.run(self._build())

    async def _build(self) -> None:
        self.engine = engines.create(Database(url=self.url))
        self.customer = await CustomerData.build(self.engine, f"m{next(numbers)}_{os.getpid()}")
        self.apps = [self.customer.app.app_id, (await self.customer.another_app()).app_id]
        async with work.unit_of_work(self.engine, "test", self.customer.clock) as unit:
            for product, units in SIZES.items():
                await orders.set_product(unit, product, "general", units, units * 10)
        self.ledger = await self._gateway()

    async def _gateway(self) -> ledger.SqlLedger:
        """The ledger of a new gateway with both apps cached, so that parallel calls are settled in order."""
        fresh = self.customer.ledger()
        for app in self.apps:
            with suppress(Refused):
                await fresh.admit(self._account, app, "general", 0)
        return fresh

    # -- what customers and operators do

    @rule(product=st.sampled_from(sorted(SIZES)), app=st.sampled_from([None, None, 0, 1]), later=st.booleans())
    def buy(self, product: str, app: int | None, later: bool) -> None:
        async def place() -> orders.OrderRow:
            async with work.unit_of_work(self.engine, "test", self.customer.clock) as unit:
                return await orders.place_order(
                    unit,
                    self.customer.account_id,
                    {product: 1},
                    approval="operator" if later else "immediate",
                    app_id=None if app is None else self.apps[app],
                )

        order = self.run(place())
        if later:
            self.pending.append((order.number, order.ordered_at))
        else:
            self._learn_packs()
        self.customer.clock.advance(seconds=1)

    @precondition(lambda self: self.pending)
    @rule()
    def approve(self) -> None:
        number, _ = self.pending.pop(0)

        async def decide() -> None:
            async with work.unit_of_work(self.engine, "test", self.customer.clock) as unit:
                await orders.approve_order(unit, number)

        self.run(decide())
        self._learn_packs()

    @rule(units=st.integers(0, 12), app=st.integers(0, 1))
    def call(self, units: int, app: int) -> None:
        self._settle([(ids.new(), app, units)])

    @rule(wanted=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=12))
    def crowd(self, wanted: list[tuple[int, int]]) -> None:
        self._settle([(ids.new(), app, units) for app, units in wanted])

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self._settle([data.draw(st.sampled_from(self.calls))])

    @rule(span=st.sampled_from([1, 3600, 86_400 * 3, 86_400 * 120, 86_400 * 364, 86_400 * 366]))
    def time_passes(self, span: int) -> None:
        self.customer.clock.advance(seconds=span)

    @precondition(lambda self: any(not pack.gone for pack in self.packs))
    @rule(data=st.data())
    def ask_for_refund(self, data: st.DataObject) -> None:
        pack = data.draw(st.sampled_from([pack for pack in self.packs if not pack.gone]))
        now = self.customer.clock.time
        allowed = pack.used == 0 and pack.refund is None and now <= pack.ordered + timedelta(days=7)

        async def ask() -> str:
            async with work.unit_of_work(self.engine, "test", self.customer.clock) as unit:
                return (await refunds.request_refund(unit, pack.id)).id

        try:
            pack.refund = self.run(ask())
            assert allowed
        except Misuse:
            assert not allowed

    @precondition(lambda self: any(pack.refund for pack in self.packs))
    @rule()
    def decide_refund(self) -> None:
        pack = next(pack for pack in self.packs if pack.refund)

        async def decide() -> str:
            async with work.unit_of_work(self.engine, "test", self.customer.clock) as unit:
                return (await refunds.approve_refund(unit, pack.refund or "")).state

        assert self.run(decide()) == ("failed" if pack.used else "approved")
        pack.refund, pack.gone = None, pack.used == 0

    # -- accidents

    @rule(units=st.integers(1, 8), app=st.integers(0, 1))
    def gateway_dies_before_commit(self, units: int, app: int) -> None:
        real = ledger.settle_batch

        async def dying(*args: object) -> object:
            await real(*args)  # type: ignore[arg-type]
            raise RuntimeError("killed before commit")

        async def attempt() -> None:
            with patch.object(ledger, "settle_batch", dying):
                await self.ledger.settle(self.customer.call(units, app_id=self.apps[app]))

        try:
            self.run(attempt())
            raise AssertionError("a settlement that was not committed was answered")
        except (LedgerUnavailable, Refused):
            self.ledger = self.run(self._gateway())

    @rule(units=st.integers(1, 8), app=st.integers(0, 1))
    def gateway_dies_after_commit(self, units: int, app: int) -> None:
        call = (ids.new(), app, units)
        self._settle([call])
        self.ledger = self.run(self._gateway())  # another one, which does not know the call
        if call in self.calls:
            self._settle([call])

    @rule(seconds=st.integers(1, int(MAX_CLOCK_DIFFERENCE.total_seconds())))
    def clock_goes_back_a_moment(self, seconds: int) -> None:
        self.customer.clock.advance(seconds=-seconds)
        self._settle([(ids.new(), 0, 0)])
        self.customer.clock.advance(seconds=seconds)

    @precondition(lambda self: self.calls)
    @rule(hours=st.integers(1, 24 * 400), units=st.integers(0, 8))
    def clock_jumps_back(self, hours: int, units: int) -> None:
        self._settle([(ids.new(), 0, 0)])  # now, so that the clock jumps back behind it
        self.customer.clock.advance(hours=-hours)
        try:
            self.run(self.ledger.settle(self.customer.call(units, app_id=self.apps[0])))
            raise AssertionError("settled by a clock that jumped")
        except ClockSuspect as error:
            assert error.reason == "meter"
        self.customer.clock.advance(hours=hours)

    # -- the model

    def _settle(self, calls: list[tuple[str, int, int]]) -> None:
        async def together() -> list[object]:
            settlements = (self.customer.call(units, app_id=self.apps[app], call_id=id_) for id_, app, units in calls)
            tasks = [asyncio.ensure_future(self.ledger.settle(each)) for each in settlements]
            return list(await asyncio.gather(*tasks, return_exceptions=True))

        expected = [self._model(call) for call in calls]
        results = self.run(together())
        assert [each.code if isinstance(each, Refused) else each for each in results] == expected

    def _model(self, call: tuple[str, int, int]) -> bool | int:
        _, app, units = call
        if call in self.calls:
            return False
        mine = [pack for pack in self.packs if pack.app in (None, app) and not pack.gone]
        mine.sort(key=lambda pack: (pack.ordered, pack.id))
        now = self.customer.clock.time
        valid = [pack for pack in mine if pack.start <= now < pack.end]
        if units and sum(pack.total - pack.used for pack in valid) < units:
            return 51002 if not mine else 51001 if not valid else 51003
        for pack in valid:
            taken = min(units, pack.total - pack.used)
            pack.used, units = pack.used + taken, units - taken
        self.calls.append(call)
        return True

    def _learn_packs(self) -> None:
        async def read() -> list[PackRow]:
            async with work.read_session(self.engine) as session:
                rows = [
                    await session.get_one(PackRow, pack.id)
                    for pack in await ledger_reader.packs(session, self._account)
                ]
                return rows

        known = {pack.id for pack in self.packs}
        for row in self.run(read()):
            if row.id not in known:
                app = None if row.app_id is None else self.apps.index(row.app_id)
                self.packs.append(Pack(row.id, app, row.total, row.ordered_at, row.starts_at, row.ends_at))

    @property
    def _account(self) -> str:
        return self.customer.account_id

    @invariant()
    def packs_hold_what_the_model_says(self) -> None:
        async def used() -> dict[str, int]:
            async with work.read_session(self.engine) as session:
                return {pack.id: pack.used for pack in await ledger_reader.packs(session, self._account)}

        assert self.run(used()) == {pack.id: pack.used for pack in self.packs}

    def teardown(self) -> None:
        async def prove_and_close() -> list[object]:
            async with work.snapshot_session(self.engine) as session:
                findings = await ledger_reader.verify_database(session, self._account)
            await self.engine.dispose()
            return list(findings)

        findings = self.run(prove_and_close())
        self.runner.close()
        assert findings == []


def test_the_ledger_does_what_the_model_says(database_url: str) -> None:
    machine = type("Machine", (LedgerMachine,), {"url": database_url})
    run_state_machine_as_test(machine, settings=PROFILE)
