"""The ends of the meters' chains in the signed audit trail: a ledger that was rewritten with all its hashes is found,
by the service and by a verifier of its own. On both databases."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit import export, repository, trail
from inkgate.service.audit.keeper import AuditKeeper
from inkgate.service.audit.models import EventRow
from inkgate.service.audit.repository import Filter
from inkgate.service.db import work
from inkgate.service.metering import anchors
from inkgate.service.metering.chain import GENESIS, entry_hash, instant
from inkgate.service.metering.ledger_reader import export_json, lines, meters, verify_file
from inkgate.service.metering.models import MeterRow
from inkgate.service.settings import Audit
from tests import audit_verifier
from tests.ledger_data import CustomerData


async def settled(customer: CustomerData, calls: int = 4) -> None:
    ledger = customer.ledger()
    for _ in range(calls):
        for capability in ("general", "plate"):
            await ledger.settle(customer.call(1, capability))
    await ledger.close()


async def funded(customer: CustomerData) -> None:
    for capability in ("general", "plate"):
        await customer.grant(1000, capability)


def stores(customer: CustomerData) -> tuple[anchors.Begin, anchors.Snapshot]:
    return (
        lambda: work.unit_of_work(customer.engine, "test", customer.clock),
        lambda: work.snapshot_session(customer.engine),
    )


async def anchored(customer: CustomerData) -> EventRow | None:
    keeper = AuditKeeper(
        customer.engine, customer.vault, Audit(), clock=customer.clock, before_signing=[anchors.anchor]
    )
    await keeper.run_round()
    async with work.read_session(customer.engine) as session:
        return await anchors.last_event(session)


async def heads(customer: CustomerData) -> list[anchors.Head]:
    async with work.read_session(customer.engine) as session:
        return [each async for each in anchors.heads(session)]


async def verified(customer: CustomerData) -> list[str]:
    async with work.snapshot_session(customer.engine) as session:
        return [each.where for each in await anchors.verify(session)]


async def rewrite(customer: CustomerData, seq: int) -> None:
    """Change an entry, and compute every hash after it again, as someone who knows the format can."""
    async with work.read_session(customer.engine) as session:
        meter = next(each for each in await meters(session) if each.capability == "general")
        rows: list[dict[str, Any]] = [row async for row in lines(session, meter)]
    previous, last = GENESIS, 0
    async with customer.engine.begin() as connection:
        for row in rows:
            row["client_ip"] = "192.0.2.66" if row["seq"] == seq else row["client_ip"]
            previous = entry_hash(previous, last, row, instant(row["settled_at"]))
            last = row["seq"]
            where = "capability = 'general' AND seq = :seq"
            values = {"chain": previous, "ip": row["client_ip"], "seq": last}
            await connection.execute(
                text(f"UPDATE usage_record SET chain = :chain, client_ip = :ip WHERE {where}"), values
            )
        change = text("UPDATE meter SET chain = :chain WHERE capability = 'general'")
        await connection.execute(change, {"chain": previous})


async def test_heads_are_recorded_when_they_move_and_signed(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    first = await anchored(customer)
    assert first is not None and first.detail["meters"] == 2 and first.result == "done"
    found = await heads(customer)
    assert first.detail["root"] == audit_verifier.root_of_heads(
        [[each.account_id, each.capability, each.chain_seq, each.chain] for each in found]
    )
    assert (again := await anchored(customer)) is not None and again.sequence == first.sequence
    await settled(customer)
    second = await anchored(customer)
    assert second is not None and (second.sequence or 0) > (first.sequence or 0)
    async with work.read_session(customer.engine) as session:
        last = await repository.last_checkpoint(session)
        assert last is not None and last.sequence == second.sequence
    assert await verified(customer) == []


async def test_gateways_share_the_interval(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    await anchored(customer)
    await settled(customer)
    begin, snapshot = stores(customer)
    assert not await anchors.anchor(begin, snapshot, timedelta(minutes=15))
    customer.clock.advance(minutes=15)
    assert await anchors.anchor(begin, snapshot, timedelta(minutes=15))


async def test_a_rewritten_ledger_is_found_and_its_proof_is_kept(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    await anchored(customer)
    before = await heads(customer)
    await rewrite(customer, 2)
    await settled(customer)
    where = f"meter {customer.account_id} general"
    assert await verified(customer) == [where]
    event = await anchored(customer)
    assert event is not None and (event.result, event.detail["first"]) == ("failed", where)
    general = next(each for each in before if each.capability == "general")
    assert general in await heads(customer)
    assert (again := await anchored(customer)) is not None and again.sequence == event.sequence  # said once


async def test_heads_that_were_rewritten_too_do_not_fit_the_signed_event(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    await anchored(customer)
    await rewrite(customer, 2)
    async with customer.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE ledger_anchor SET chain = (SELECT chain FROM meter WHERE capability = 'general') "
                "WHERE capability = 'general'"
            )
        )
    assert await verified(customer) == ["ledger"]
    event = await anchored(customer)
    assert event is not None and (event.result, event.detail["first"]) == ("failed", "ledger")


async def test_an_entry_that_retention_deleted_is_no_finding(customer: CustomerData) -> None:
    await funded(customer)
    await settled(customer)
    await anchored(customer)
    async with customer.engine.begin() as connection:
        await connection.execute(text("DELETE FROM usage_record WHERE capability = 'general'"))
        await connection.execute(text("UPDATE meter SET archived_lines = 4 WHERE capability = 'general'"))
    await settled(customer)
    assert await verified(customer) == []


@pytest.mark.parametrize("seq", [1, 2, 4])
async def test_an_independent_verifier_finds_the_rewritten_ledger(customer: CustomerData, seq: int) -> None:
    """With the audit export, the heads and the ledger's entries alone; the entries are consistent by themselves."""
    await funded(customer)
    await settled(customer)
    await anchored(customer)

    async def broken() -> str | None:
        async with work.snapshot_session(customer.engine) as session:
            trail = [line async for line in export.json_lines(session, Filter(), customer.clock.time)]
            key = (await repository.signing_keys(session))[0].public_key
        recorded = [[each.account_id, each.capability, each.chain_seq, each.chain] for each in before]
        return audit_verifier.broken_ledger(trail, key, recorded, await entries(customer))

    before = await heads(customer)
    assert await broken() is None
    await rewrite(customer, seq)
    assert await broken() == "general"


@pytest.mark.parametrize("member", ["chain", "chain_seq", "path", "index", "root"])
async def test_an_export_proves_its_heads(customer: CustomerData, tmp_path: Path, member: str) -> None:
    await funded(customer)
    await settled(customer)
    event = await anchored(customer)
    await settled(customer)
    rows = await exported(customer)
    path = tmp_path / "ledger.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert verify_file(path) == []
    proofs = [row for row in rows if row["kind"] == "head"]
    assert event is not None and [each["event"] for each in proofs] == [event.sequence] * 2
    assert all(audit_verifier.root_of_proof(each) == event.detail["root"] for each in proofs)
    old = proofs[0][member]
    proofs[0][member] = (
        old - 1 if isinstance(old, int) else [f"{'0' * 64}"] if isinstance(old, list) else old[:-1] + "0"
        if old[-1] != "0" else old[:-1] + "1"
    )  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert {each.kind for each in verify_file(path)} == {"heads"}


async def entries(customer: CustomerData) -> list[dict[str, Any]]:
    return [row["facts"] for row in await exported(customer) if row["kind"] == "line"]


async def exported(customer: CustomerData) -> list[dict[str, Any]]:
    out = io.StringIO()
    async with work.snapshot_session(customer.engine) as session:
        await export_json(session, out, customer.account_id)
    return [json.loads(line) for line in out.getvalue().splitlines()]


async def test_a_round_takes_steps_and_says_what_is_left(
    customer: CustomerData, monkeypatch: pytest.MonkeyPatch
) -> None:
    await funded(customer)
    await settled(customer)
    monkeypatch.setattr(anchors, "MAX_CHANGED", 1)
    monkeypatch.setattr(anchors, "MAX_STEPS", 1)
    first = await anchored(customer)
    assert first is not None and (first.detail["meters"], first.detail["waiting"]) == (1, 1)
    second = await anchored(customer)
    assert second is not None and second.detail["meters"] == 2 and "waiting" not in second.detail
    assert await verified(customer) == []
    await settled(customer)
    monkeypatch.setattr(anchors, "MAX_STEPS", 2)
    third = await anchored(customer)
    assert third is not None and third.sequence == (second.sequence or 0) + 2 and "waiting" not in third.detail
    assert await verified(customer) == []


async def test_heads_recorded_meanwhile_are_not_replaced_by_older_ones(customer: CustomerData) -> None:
    """Another process records heads between the reading and the writing of a round."""
    await funded(customer)
    await settled(customer)
    begin, snapshot = stores(customer)
    await anchors.anchor(begin, snapshot)
    await settled(customer)
    raced = False

    @asynccontextmanager
    async def slow() -> AsyncIterator[AsyncSession]:
        nonlocal raced
        async with snapshot() as session:
            yield session
        if not raced:
            raced = True
            await settled(customer)
            assert await anchors.anchor(begin, snapshot)

    assert not await anchors.anchor(begin, slow)
    assert raced and await verified(customer) == []
    async with work.read_session(customer.engine) as session:
        assert await session.scalar(anchors._of_moved(select(func.count()).select_from(MeterRow))) == 0


async def test_the_trail_is_not_locked_while_heads_are_read(customer: CustomerData) -> None:
    """An event of another process is written while a round reads."""
    await funded(customer)
    await settled(customer)
    begin, snapshot = stores(customer)

    @asynccontextmanager
    async def watched() -> AsyncIterator[AsyncSession]:
        async with snapshot() as session:
            yield session
            async with asyncio.timeout(4), begin() as unit:
                await trail.record(unit, "audit.verify", "audit trail", None)

    assert await anchors.anchor(begin, watched)
    assert await verified(customer) == []
