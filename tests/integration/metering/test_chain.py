"""The chain of ledger entries: any column of any entry changed is found and named, by the service and by a verifier
written from docs/reference/audit-chain.md alone. On both databases."""

from __future__ import annotations

import io
import json
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gmssl import sm3
from sqlalchemy import select, text, update

from inkgate.service.db import work
from inkgate.service.metering import housekeeping, ledger_reader
from inkgate.service.metering.chain import extend
from inkgate.service.metering.models import MeterRow
from inkgate.service.metering.verify import Finding
from inkgate.service.usage.models import RecordRow
from tests.integration.metering.test_ledger_reader import old_id
from tests.ledger_data import START, CustomerData

COLUMNS = [
    *("seq", "call_id", "line", "settled_at", "account_id", "app_id", "capability", "pack_id", "first_unit", "units"),
    *("images", "failed_images", "code", "body_bytes", "duration_ms", "client_ip", "request_id"),
]


async def settled(customer: CustomerData, calls: int = 8) -> None:
    """Calls on packs of three units, so that some calls have two entries."""
    for _ in range(calls):
        await customer.grant(3)
    ledger = customer.ledger()
    for _ in range(calls):
        await ledger.settle(customer.call(2))
    await ledger.close()


async def findings(customer: CustomerData) -> list[Finding]:
    async with work.snapshot_session(customer.engine) as session:
        return await ledger_reader.verify_database(session)


async def exported(customer: CustomerData) -> list[dict[str, Any]]:
    out = io.StringIO()
    async with work.snapshot_session(customer.engine) as session:
        await ledger_reader.export_json(session, out, customer.account_id)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def first_broken(rows: list[dict[str, Any]]) -> int | None:
    """The sequence of the first entry that does not hold; nothing of the product in here."""
    previous, seq = bytes(32), 0
    for row in (each["facts"] for each in rows if each["kind"] == "line"):
        at = row["settled_at"]
        base, _, fraction = at.removesuffix("+00:00").partition(".")
        values = [row[name] for name in COLUMNS]
        values[3] = f"{base}.{fraction or '000000'}Z"
        body = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        digest = sm3.sm3_hash(list(previous + struct.pack(">Q", seq) + body))
        if digest != row["chain"]:
            return int(row["seq"])
        previous, seq = bytes.fromhex(digest), row["seq"]
    return None


async def test_entries_are_chained(customer: CustomerData, tmp_path: Path) -> None:
    await settled(customer)
    assert await findings(customer) == []
    rows = await exported(customer)
    assert first_broken(rows) is None
    lines = [each["facts"] for each in rows if each["kind"] == "line"]
    assert len(lines) > 8 and max(each["line"] for each in lines) == 1
    meter = next(each for each in rows if each["kind"] == "meter")
    assert (meter["chain"], meter["chain_seq"]) == (lines[-1]["chain"], lines[-1]["seq"])


@pytest.mark.parametrize("column", [each for each in COLUMNS if each not in ("account_id", "capability", "seq")])
async def test_a_changed_column_is_found_in_its_entry(customer: CustomerData, column: str, tmp_path: Path) -> None:
    await settled(customer)
    rows = await exported(customer)
    target = next(each["facts"] for each in rows if each["kind"] == "line" and each["facts"]["seq"] == 5)
    old = target[column]
    target[column] = (
        old + 7 if isinstance(old, int) else "2026-03-01T09:30:00+00:00" if column == "settled_at"
        else old[:-1] + ("0" if old[-1] != "0" else "1")
    )  # fmt: skip
    assert first_broken(rows) == 5
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    chained = [each for each in ledger_reader.verify_file(path) if each.kind == "chain"]
    assert chained and chained[0].what.startswith("entry 5 ")


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE usage_record SET code = 51001 WHERE seq = 5",
        "UPDATE usage_record SET client_ip = '192.0.2.99' WHERE seq = 5",
        "UPDATE usage_record SET duration_ms = duration_ms + 1 WHERE seq = 5",
        "UPDATE usage_record SET chain = NULL WHERE seq = 4",
    ],
)
async def test_tampering_in_the_database_is_found(customer: CustomerData, tampering: str) -> None:
    await settled(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text(tampering))
    found = [each for each in await findings(customer) if each.kind == "chain"]
    assert found[0].what.startswith("entry 5 ")


async def test_entries_without_a_hash_are_those_of_an_older_release_only(customer: CustomerData) -> None:
    """A gateway of the release before writes between two of this one, as in a rolling upgrade."""
    await settled(customer, 3)
    async with customer.engine.begin() as connection:
        await connection.execute(text("UPDATE usage_record SET chain = NULL"))
        await connection.execute(text("UPDATE meter SET chain = NULL, chain_seq = NULL"))
    await settled(customer, 3)
    assert [each for each in await findings(customer) if each.kind == "chain"] == []
    async with customer.engine.begin() as connection:
        last = await connection.scalar(text("SELECT max(seq) FROM usage_record"))
        seq = await connection.scalar(text("SELECT chain_seq FROM meter WHERE capability = 'general'"))
        assert last == seq
        await connection.execute(text("UPDATE usage_record SET code = 1 WHERE chain IS NULL"))
    assert [each for each in await findings(customer) if each.kind == "chain"] == []


async def test_the_end_of_the_chain_is_in_the_meter(customer: CustomerData) -> None:
    await settled(customer, 3)
    async with customer.engine.begin() as connection:
        last = await connection.scalar(text("SELECT max(seq) FROM usage_record"))
        await connection.execute(text(f"UPDATE usage_record SET chain = NULL WHERE seq = {last}"))
    assert [each.kind for each in await findings(customer)] == ["chain"]


@pytest.mark.parametrize("archived", [(3,), (3, 4), (6,), (5, 6)])
async def test_retention_goes_by_the_time_of_calls(customer: CustomerData, archived: tuple[int, ...]) -> None:
    """A call that began before midnight may be settled after others of the next day, also as the last one, and before
    entries of a release without the chain."""
    await customer.grant(100)
    ledger = customer.ledger()
    for seq in range(1, 7):
        age = 30 if seq in archived else 5
        await ledger.settle(customer.call(2, call_id=old_id(START.date() - timedelta(days=age))))
    await ledger.close()
    async with customer.engine.begin() as connection:  # entry 4 is of the release before, so that 5 follows 3
        rows = (await connection.execute(select(RecordRow).order_by(RecordRow.seq))).mappings().all()
        new = [dict(each) for each in rows if each["seq"] != 4]
        extend(None, None, new)
        for each in new:
            same = (RecordRow.call_id == each["call_id"], RecordRow.line == each["line"])
            await connection.execute(update(RecordRow).where(*same).values(chain=each["chain"]))
        await connection.execute(update(RecordRow).where(RecordRow.seq == 4).values(chain=None))
        await connection.execute(update(MeterRow).where(MeterRow.seq == 6).values(chain=new[-1]["chain"]))
    assert await findings(customer) == []
    assert await housekeeping.apply_retention(customer.engine, START.date() - timedelta(days=15)) == len(archived)
    assert await findings(customer) == []


async def test_retention_leaves_a_chain_that_holds(customer: CustomerData) -> None:
    await settled(customer)
    day = customer.clock.time.date()
    async with work.read_session(customer.engine) as session:
        calls = list(await session.scalars(text("SELECT call_id FROM usage_record WHERE line = 0 ORDER BY seq")))
    assert len(calls) == 8
    await housekeeping.apply_retention(customer.engine, day.replace(year=day.year + 2))
    assert [each for each in await findings(customer) if each.kind == "chain"] == []
    await settled(customer, 2)
    assert [each for each in await findings(customer) if each.kind == "chain"] == []
