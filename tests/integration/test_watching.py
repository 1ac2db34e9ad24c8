"""What a gateway samples from its timer, over a real database."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.broker.interface import QueueState
from inkgate.service.composition.samplers import database_sampler, pack_sampler, queue_sampler
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.db.clock import CheckedClock
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.settings import Database, Redis, Settings
from inkgate.service.telemetry.metrics import Metrics
from tests.ledger_data import CustomerData
from tests.unit.telemetry.test_metrics import page, value


@pytest.fixture
async def engine(tmp_path: Path):
    engine = databases.create(Database(url=f"sqlite+aiosqlite:///{tmp_path / 'ink.db'}"))
    await migrate.upgrade_async(f"sqlite+aiosqlite:///{tmp_path / 'ink.db'}")
    yield engine
    await engine.dispose()


async def test_the_database_is_up_and_its_clock_is_ours(engine: AsyncEngine) -> None:
    metrics = Metrics("gateway", "1")
    await database_sampler(engine, metrics).read()
    assert value(metrics, "inkgate_dependency_up", dependency="database") == 1
    assert abs(value(metrics, "inkgate_clock_skew_seconds", dependency="database")) < 2


async def test_a_database_out_of_reach_is_down() -> None:
    engine = databases.create(Database(url="postgresql+asyncpg://nobody:x@127.0.0.1:9/none"))
    metrics = Metrics("gateway", "1")
    with pytest.raises(OSError):
        await database_sampler(engine, metrics).read()
    assert value(metrics, "inkgate_dependency_up", dependency="database") == 0
    assert value(metrics, "inkgate_dependency_connections", dependency="database", state="in_use") == 0


class FakeBroker:
    """A broker that answers, or not."""

    up = True

    async def state(self) -> QueueState:
        if not self.up:
            raise BrokerUnavailable("gone")
        return QueueState(depth=3, in_flight=1, oldest_age=0.5, workers=2)


async def test_redis_is_up_while_the_queue_answers() -> None:
    broker, metrics = FakeBroker(), Metrics("gateway", "1")
    sampler = queue_sampler(Settings(redis=Redis(url="redis://127.0.0.1")), broker, metrics)  # type: ignore[arg-type]
    await sampler.read()
    assert value(metrics, "inkgate_queue_depth") == 3
    assert value(metrics, "inkgate_dependency_up", dependency="redis") == 1
    broker.up = False
    with pytest.raises(BrokerUnavailable):
        await sampler.read()
    assert value(metrics, "inkgate_dependency_up", dependency="redis") == 0
    assert value(metrics, "inkgate_queue_depth") == 3, "the last reading stays"


async def test_watched_balances_are_shown_and_no_others(engine: AsyncEngine) -> None:
    customer = await CustomerData.build(engine)
    await customer.grant(100, ends_at=datetime(2100, 1, 1, tzinfo=UTC))  # the sampler reads the real clock
    name = "main"
    metrics = Metrics("gateway", "1", capabilities=CAPABILITIES)
    await pack_sampler((name, "nobody"), engine, metrics).read()
    labels = {"account": name, "capability": "general"}
    assert value(metrics, "inkgate_pack_remaining_units", **labels) == 100
    assert value(metrics, "inkgate_pack_total_units", **labels) == 100
    shown = [key for key in page(metrics) if key[0] == "inkgate_pack_remaining_units"]
    assert len(shown) == 1


async def test_the_ledger_counts_what_it_settles(engine: AsyncEngine) -> None:
    customer = await CustomerData.build(engine)
    await customer.grant(100)
    metrics = Metrics("gateway", "1", capabilities=CAPABILITIES)
    ledger = customer.ledger(metrics=metrics)  # type: ignore[arg-type]
    call = customer.call(units=3)
    await ledger.settle(call)
    await ledger.settle(call)
    await ledger.close()
    assert value(metrics, "inkgate_units_settled_total", capability="general") == 3
    assert value(metrics, "inkgate_settle_duration_seconds_count") == 2
    assert value(metrics, "inkgate_settle_batch_size_sum") == 2


async def test_a_database_whose_clock_cannot_be_right_is_told(engine: AsyncEngine) -> None:
    metrics, off = Metrics("gateway", "1"), 0.0
    checked = CheckedClock(wall=lambda: time.time() + off)
    for off, suspect in ((0.0, 0), (400.0, 1), (-400.0, 1), (0.0, 0)):  # noqa: B007 - read by the lambda
        await database_sampler(engine, metrics, checked).read()
        assert value(metrics, "inkgate_clock_suspect") == suspect
        assert value(metrics, "inkgate_dependency_up", dependency="database") == 1
