"""A broken audit trail is announced once, as long as it is broken, wherever it is broken; on both databases."""

from __future__ import annotations

from typing import Any, cast

import pytest
from sqlalchemy import text

from inkgate.service.audit import repository as trail
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.composition.notices import notice_runner
from inkgate.service.db import work
from inkgate.service.db.clock import CheckedClock
from inkgate.service.notices import repository as notices
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.notices.kinds import ChannelKind, Kind
from inkgate.service.notices.watch import AuditWatch
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics
from tests.integration.audit.test_chain import intruder, keeper, record
from tests.integration.notices.conftest import NoticeStage
from tests.ledger_data import CustomerData

HOOK = {"url": "http://127.0.0.1:9/hook"}
TAMPER = "UPDATE audit_event SET actor = 'console:someone' WHERE sequence = {}"
REMOVE = "DELETE FROM audit_event WHERE sequence = {}"
UNCHAIN = "UPDATE audit_event SET hash = previous_hash WHERE sequence = {}"
HEAL = "UPDATE audit_event SET actor = 'test' WHERE sequence = {}"


async def tamper(customer: CustomerData, statement: str, sequence: int) -> None:
    async with intruder(customer.engine) as connection:
        await connection.execute(text(statement.format(sequence)))


async def events(customer: CustomerData, count: int) -> int:
    """Record events; the sequence of the last one."""
    for number in range(count):
        await record(customer, number)
    async with work.read_session(customer.engine) as session:
        return (await trail.head(session))[0]


async def announced(stage: NoticeStage) -> list[tuple[str, str, Any]]:
    return [(row.kind, row.state, row.params["sequence"]) for row in await stage.outbox()]


def gateway(stage: NoticeStage) -> Evaluator:
    """The evaluator of a gateway as the composition root makes it, with workers that are alive."""

    class Workers:
        workers = 1

    class Queue:
        async def state(self) -> Workers:
            return Workers()

    customer = stage.customer
    database = OpenDatabase(customer.engine, customer.vault, cast(CheckedClock, customer.clock))
    settings = Settings(notices=stage.settings)
    metrics = Metrics("gateway", "test")
    return notice_runner(settings, database, cast(Broker, Queue()), metrics, Background())._evaluator


async def test_a_tampered_event_is_announced_once_by_all_gateways(stage: NoticeStage) -> None:
    customer = stage.customer
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    last = await events(customer, 5)
    gateways = [gateway(stage), gateway(stage)]

    async def rounds() -> list[int | None]:
        posted = []
        for each in gateways * 2:
            customer.clock.advance(minutes=1)
            posted.append(await each.run_round())
        return posted

    assert await rounds() == [0, 0, 0, 0]
    await tamper(customer, TAMPER, last - 1)
    assert await rounds() == [1, 0, 0, 0]
    assert await announced(stage) == [("audit_failed", "waiting", last - 1)]
    (row,) = await stage.outbox()
    assert row.params["problem"] == f"event {last - 1}: its content is not what its hash covers"
    for _ in range(3):  # the end of the trail moves on, and is sound
        await events(customer, 3)
        await keeper(customer).run_round()
        assert await rounds() == [0, 0, 0, 0]
    assert await announced(stage) == [("audit_failed", "waiting", last - 1)]
    await tamper(customer, HEAL, last - 1)
    assert await rounds() == [0, 0, 0, 0]
    assert await announced(stage) == [("audit_failed", "cancelled", last - 1)]
    await tamper(customer, TAMPER, last - 1)
    assert sum(each or 0 for each in await rounds()) == 1


@pytest.mark.parametrize("piece", [1, 3, 500])
@pytest.mark.parametrize("statement", [TAMPER, REMOVE, UNCHAIN])
async def test_an_old_event_is_found_piece_by_piece(stage: NoticeStage, piece: int, statement: str) -> None:
    customer = stage.customer
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    for _ in range(4):
        last = await events(customer, 4)
        await keeper(customer).run_round()
    stage.checks[Kind.AUDIT_FAILED] = AuditWatch(customer.engine, piece).check
    assert [await stage.round() for _ in range(2 * last // piece + 2)] == [0] * (2 * last // piece + 2)
    await tamper(customer, statement, 4)
    posted = [await stage.round() for _ in range(last // piece + 2)]
    assert sum(each or 0 for each in posted) == 1, posted
    assert [each[:2] for each in await announced(stage)] == [("audit_failed", "waiting")]


async def test_events_that_were_archived_are_not_missing(stage: NoticeStage) -> None:
    customer = stage.customer
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    await events(customer, 6)
    await tamper(customer, TAMPER, 4)
    stage.checks[Kind.AUDIT_FAILED] = AuditWatch(customer.engine, 2).check
    assert await stage.round() == 1
    customer.clock.advance(days=400)
    await events(customer, 3)
    await keeper(customer, retention_days=180).run_round()
    assert [await stage.round() for _ in range(12)] == [0] * 12
    async with work.read_session(customer.engine) as session:
        assert await notices.open_conditions(session) == []
