"""The recheck of old entries verifies their chain: what was changed is found within one recheck and announced, and a
sound ledger is never reported. On both databases."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from inkgate.service.composition import gateway
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.metering import chain_recheck, housekeeping, ledger_reader, reconciliation
from inkgate.service.metering.models import CheckRow, MeterRow
from inkgate.service.metering.reconciliation import FULL_RECHECK, ReconciliationState, RoundLimits
from inkgate.service.notices import conditions
from inkgate.service.notices.kinds import Kind
from inkgate.service.settings import Database, Ledger, Notices
from inkgate.service.telemetry.metrics import Metrics
from tests.integration.metering.test_ledger_reader import old_id
from tests.ledger_data import START, CustomerData

DAYS = timedelta(days=30)
TWO_AT_A_TIME = RoundLimits(step=2, recheck_lines=1000, recheck_meters=1000)
SERIALIZATION_FAILURE = "40001"
TARGET = 4  # the last entry of a step
CHANGES = {
    "call_id": "call_id = :other",
    "line": "line = line + 7",
    "settled_at": "settled_at = (SELECT settled_at FROM usage_record WHERE seq = 1)",
    "account_id": "account_id = :other",
    "app_id": "app_id = :other",
    "capability": "capability = 'plate'",
    "pack_id": "pack_id = :other",
    "first_unit": "first_unit = first_unit + 1",
    "units": "units = units + 1",
    "images": "images = images + 1",
    "failed_images": "failed_images = 1",
    "code": "code = 51001",
    "body_bytes": "body_bytes = body_bytes + 1",
    "duration_ms": "duration_ms = duration_ms + 1",
    "client_ip": "client_ip = '192.0.2.99'",
    "request_id": "request_id = 'another'",
    "seq": "seq = 3",
    "chain": "chain = (SELECT chain FROM usage_record WHERE seq = 1)",
    "no hash": "chain = NULL",
}


async def recheck(customer: CustomerData) -> ReconciliationState:
    """A complete pass over all entries, in steps of two."""
    customer.clock.advance(days=31)
    return await reconciliation.reconcile(customer.engine, TWO_AT_A_TIME, DAYS, customer.clock)


async def settled(customer: CustomerData, calls: int = 7) -> None:
    """Calls on one pack, at different times."""
    await customer.grant(100)
    ledger = customer.ledger()
    for _ in range(calls):
        await ledger.settle(customer.call(2))
        customer.clock.advance(seconds=3)
    await ledger.close()


async def change(customer: CustomerData, *statements: str) -> None:
    """Change the database behind the service; `:other` is an id of nothing, of another day."""
    other = old_id(START.date() - timedelta(days=400))
    bound = other if customer.engine.dialect.name == "postgresql" else other.replace("-", "")
    async with customer.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement.replace(":other", f"'{bound}'")))


async def chain_findings(customer: CustomerData) -> list[str]:
    async with work.snapshot_session(customer.engine) as session:
        return [each.what for each in await ledger_reader.verify_database(session) if each.kind == "chain"]


def test_every_column_is_changed_in_a_test() -> None:
    assert set(CHANGES) - {"no hash"} == set(ledger_reader.LINE_COLUMNS)


@pytest.mark.parametrize("column", CHANGES)
async def test_a_changed_column_is_found_and_announced(
    customer: CustomerData, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    await settled(customer)
    assert (await recheck(customer)).broken == 0
    await change(customer, f"UPDATE usage_record SET {CHANGES[column]} WHERE seq = {TARGET}")
    found = await recheck(customer)
    assert found.broken > 0
    assert await reconciliation.reconcile(customer.engine, RoundLimits(), DAYS, customer.clock) == found  # until then
    conditions_ = await conditions.find(customer.engine, Notices(), {}, (), customer.clock)
    announced = {each.key: each.params for each in conditions_.conditions if each.kind is Kind.LEDGER_FAILED}
    assert announced["ledger_failed:entries"] == {"entries": found.broken}
    assert ("ledger_failed" in announced) == bool(found.drift)
    assert "run: inkgate ledger verify" in caplog.text


@pytest.mark.parametrize(
    ("tampering", "first"),
    [
        (["UPDATE usage_record SET code = 1 WHERE seq = 4"], "entry 4 "),
        (["UPDATE usage_record SET code = 1 WHERE seq IN (1, 5, 6)"], "entry 1 "),
        (
            [f"UPDATE usage_record SET seq = {new} WHERE seq = {old}" for old, new in ((2, 0), (3, 2), (0, 3))],
            "entry 2 ",
        ),
        (["UPDATE meter SET chain_seq = 6 WHERE capability = 'general'"], "ends with entry 6"),
        (
            ["UPDATE meter SET chain = (SELECT chain FROM usage_record WHERE seq = 1) WHERE capability = 'general'"],
            "ends with entry 7",
        ),
        (["UPDATE usage_record SET chain = NULL"], "ends with entry 7"),
    ],
)
async def test_the_log_names_the_meter_and_the_first_entry_once(
    customer: CustomerData, tampering: list[str], first: str, caplog: pytest.LogCaptureFixture
) -> None:
    await settled(customer)
    assert (await recheck(customer)).broken == 0
    caplog.clear()
    await change(customer, *tampering)
    found = await recheck(customer)
    assert found.broken == len(await chain_findings(customer)) > 0 and found.drift == 0
    lines = [each for each in caplog.records if each.name == chain_recheck.__name__]
    assert [each.levelno for each in lines] == [logging.ERROR]
    said = lines[0].getMessage()
    assert f"account {customer.account_id}, general, was changed: {first}" in said and "inkgate ledger verify" in said


@pytest.mark.parametrize(("seq", "units"), [(1, 2), (4, 2), (5, 0), (8, 2)])
async def test_a_deleted_entry_is_counted_also_one_without_units(customer: CustomerData, seq: int, units: int) -> None:
    await settled(customer, 4)
    ledger = customer.ledger()
    for number in (0, 2, 2, 2):
        await ledger.settle(customer.call(number))
    await ledger.close()
    assert (await recheck(customer)).broken == 0
    await change(customer, f"DELETE FROM usage_record WHERE seq = {seq}")
    found = await recheck(customer)
    assert found.drift == units
    assert found.broken == 1 + len(await chain_findings(customer))


async def test_the_count_falls_when_the_entry_is_restored(customer: CustomerData) -> None:
    await settled(customer)
    await change(customer, "UPDATE usage_record SET code = 51001 WHERE seq = 4")
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(recheck_days=1), lambda found: None, clock=customer.clock)
    for _ in range(2):
        customer.clock.advance(days=2)
        assert (await keeper.run_round()).broken == 1
    await change(customer, "UPDATE usage_record SET code = 0 WHERE seq = 4")
    assert (await keeper.run_round()).broken == 1  # nothing was read again yet
    customer.clock.advance(days=2)
    assert (await keeper.run_round()).broken == 0
    assert not [
        each for each in (await conditions.find(customer.engine, Notices(), {}, (), customer.clock)).conditions
        if each.kind is Kind.LEDGER_FAILED
    ]  # fmt: skip


async def test_a_step_of_a_release_without_the_chain_is_not_compared_with_the_next(customer: CustomerData) -> None:
    """In a rolling upgrade a gateway of the release before may take a step between two: it moves `seq` only."""
    await settled(customer)
    bounds = RoundLimits(step=2, recheck_lines=2, recheck_meters=1)
    await reconciliation.reconcile(customer.engine, bounds, DAYS, customer.clock)
    await change(customer, f"UPDATE ledger_check SET seq = 4, lines = 4 WHERE kind = {FULL_RECHECK}")  # its step
    for _ in range(3):
        assert (await reconciliation.reconcile(customer.engine, bounds, DAYS, customer.clock)).broken == 0
    async with work.read_session(customer.engine) as session:
        query = select(CheckRow.seq, CheckRow.chain_seq, CheckRow.chain_to).where(CheckRow.kind == FULL_RECHECK)
        assert (await session.execute(query)).one() == (7, 7, 7)


async def test_a_step_has_a_bounded_number_of_entries(customer: CustomerData, monkeypatch: pytest.MonkeyPatch) -> None:
    await settled(customer)
    monkeypatch.setattr(chain_recheck, "MAX_ENTRIES", 3)
    spans = []
    verify = chain_recheck.verify_span

    async def seen(connection: object, key: object, span: tuple[int, int]) -> None:
        spans.append(span)
        await verify(connection, key, span)  # type: ignore[arg-type]

    monkeypatch.setattr(chain_recheck, "verify_span", seen)
    bounds = RoundLimits(recheck_lines=1000, recheck_meters=10)
    assert (await reconciliation.reconcile(customer.engine, bounds, DAYS, customer.clock)).broken == 0
    assert spans == [(0, 3), (3, 6), (6, 7)]


async def test_maintain_says_it_and_fails(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ink.db"
    await migrate.upgrade_async(url)
    engine = databases.create(Database(url=url))
    try:
        customer = await CustomerData.build(engine)
        await settled(customer)
        await change(customer, "UPDATE usage_record SET app_id = :other WHERE seq = 3")
    finally:
        await databases.close(engine)
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inkgate.service.cli", "ledger", "maintain"),
        cwd=tmp_path,
        env={**os.environ, "INKGATE_DATABASE__URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _errors = await done.communicate()
    assert (done.returncode, out.decode()) == (1, "drift 0 units\n1 ledger entries are missing or changed\n")


def test_every_gateway_exports_the_count() -> None:
    metrics = Metrics("gateway", "1")
    for broken in (0, 2, 0):
        gateway._report(metrics, ReconciliationState(0, 0, START, broken))
        assert f"inkgate_metering_broken_entries {float(broken)}" in metrics.render()[0].decode()


async def settle_as_older_release(customer: CustomerData, call_id: str) -> None:
    """An entry as a release without the chain writes it: no hash, and the end of the chain in the meter stays."""
    chain = select(MeterRow.chain, MeterRow.chain_seq).where(MeterRow.capability == "general")
    async with customer.engine.connect() as connection:
        end = (await connection.execute(chain)).first() or (None, None)
    ledger = customer.ledger()
    await ledger.settle(customer.call(1, call_id=call_id))
    await ledger.close()
    async with customer.engine.begin() as connection:
        await connection.execute(
            text("UPDATE usage_record SET chain = NULL WHERE seq = (SELECT max(seq) FROM usage_record)")
        )
        await connection.execute(MeterRow.__table__.update().values(chain=end[0], chain_seq=end[1]))


@pytest.mark.parametrize("seed", range(6))
async def test_a_sound_ledger_is_never_reported(customer: CustomerData, seed: int) -> None:
    """Settlements of this release and the one before, retention and steps of the recheck, in any order."""
    chance = random.Random(seed)
    await customer.grant(10_000)
    ledger = customer.ledger()
    today = START.date()
    floor = 60  # days of retention, falling: entries of older calls are deleted
    for _ in range(60):
        call_id = old_id(today - timedelta(days=chance.randrange(floor)))
        match chance.choice(("settle", "settle", "older", "recheck", "recheck", "retention")):
            case "settle":
                await ledger.settle(customer.call(chance.randrange(3), call_id=call_id))
            case "older":
                await settle_as_older_release(customer, call_id)
            case "retention":
                floor = max(2, floor - chance.randrange(8))
                await housekeeping.apply_retention(customer.engine, today - timedelta(days=floor))
            case _:
                customer.clock.advance(seconds=1)
                again = chance.choice((timedelta(0), DAYS))
                bounds = RoundLimits(step=chance.randint(1, 4), recheck_lines=chance.randint(1, 9), recheck_meters=1)
                found = await reconciliation.reconcile(customer.engine, bounds, again, customer.clock)
                assert (found.broken, found.drift) == (0, 0)
        assert await chain_findings(customer) == []
    await ledger.close()


async def test_settlements_and_retention_during_the_recheck_are_no_findings(customer: CustomerData) -> None:
    await customer.grant(10_000)
    ledger = customer.ledger()
    today = START.date()
    done = asyncio.Event()

    async def settle(worker: int) -> None:
        for number in range(25):
            age = 1 + (number * 7 + worker) % 20
            await ledger.settle(customer.call(1, call_id=old_id(today - timedelta(days=age))))

    async def retain() -> None:
        """Only days on which no call of this test is settled any more: their own ones come before."""
        for age in range(60, 20, -4):
            with contextlib.suppress(DBAPIError):  # on Postgres it leaves a busy meter to the next round
                await housekeeping.apply_retention(customer.engine, today - timedelta(days=age))
            await asyncio.sleep(0.01)

    async def read_again() -> int:
        rounds = 0
        while not done.is_set() or rounds < 3:
            customer.clock.advance(seconds=1)
            bounds = RoundLimits(step=3, recheck_lines=500, recheck_meters=10)
            try:
                found = await reconciliation.reconcile(customer.engine, bounds, timedelta(0), customer.clock)
            except DBAPIError as error:  # retention committed between snapshot and lock: the next round goes on
                assert getattr(error.orig, "sqlstate", None) == SERIALIZATION_FAILURE
                continue
            assert (found.broken, found.drift) == (0, 0)
            rounds += 1
            await asyncio.sleep(0)
        return rounds

    for age in range(22, 60, 2):
        await ledger.settle(customer.call(1, call_id=old_id(today - timedelta(days=age))))
    reading = asyncio.create_task(read_again())
    await asyncio.gather(retain(), *(settle(worker) for worker in range(4)))
    done.set()
    assert await reading >= 3
    await ledger.close()
    assert await chain_findings(customer) == []
    await change(customer, "UPDATE usage_record SET code = 51001 WHERE seq = 100")
    assert (await recheck(customer)).broken == 1
