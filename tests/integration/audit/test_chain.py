"""The chain of the audit trail: written by every transaction, found broken where it is touched; on both databases."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.audit import chain, export, repository, trail, verify
from inkgate.service.audit.keeper import AuditKeeper
from inkgate.service.audit.repository import Filter
from inkgate.service.audit.verify import Outcome
from inkgate.service.db import ids, work
from inkgate.service.settings import Audit
from tests.audit_verifier import first_broken
from tests.ledger_data import CustomerData
from tests.postgres import ON_SQLITE

HEADER = '{"format":"inkgate-audit","version":1,"keys":[],"whole":true,"contiguous":true,"last":null}\n'


def keeper(customer: CustomerData, **settings: Any) -> AuditKeeper:
    return AuditKeeper(customer.engine, customer.vault, Audit(**settings), clock=customer.clock)


async def record(customer: CustomerData, number: int, **more: Any) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await trail.record(unit, "test.act", f"object {number}", customer.account_id, number=number, **more)


async def exported(customer: CustomerData, wanted: Filter = Filter()) -> list[str]:  # noqa: B008 - frozen
    async with work.snapshot_session(customer.engine) as session:
        return [line async for line in export.json_lines(session, wanted, customer.clock.time)]


async def verified(engine: AsyncEngine, *, recent: bool = False) -> Outcome:
    async with work.snapshot_session(engine) as session:
        return await verify.verify_database(session, recent=recent)


async def public_key(engine: AsyncEngine) -> str:
    async with work.read_session(engine) as session:
        return (await repository.signing_keys(session))[0].public_key


def offline(lines: list[str], trusted: str = "") -> Outcome:
    return verify.verify_export(io.StringIO("".join(lines)), trusted)


@asynccontextmanager
async def intruder(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of someone who can switch the triggers off."""
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for name in ("audit_event_no_update", "audit_event_no_delete", "audit_checkpoint_no_delete"):
                await connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        yield connection


async def test_each_transaction_extends_the_chain(customer: CustomerData) -> None:
    for number in range(5):
        await record(customer, number, before={"qps": 2.0}, after={"qps": 2.123456, "note": '名称 \u2028 "x" \\'})
    await keeper(customer).run_round()
    outcome = await verified(customer.engine)
    lines = await exported(customer)
    assert outcome.sound and outcome.events == outcome.last == len(lines) - 3
    assert first_broken(lines, await public_key(customer.engine)) is None
    assert offline(lines, await public_key(customer.engine)) == outcome
    event = json.loads(lines[-2])["event"]
    assert event["detail"] == {
        "number": 4,
        "before": {"qps": 2},
        "after": {"qps": 2.1235, "note": '名称 \u2028 "x" \\'},
    }
    assert (event["account_name"], event["surface"], event["result"]) == ("main", "system", "done")


@ON_SQLITE
async def test_any_change_of_an_export_is_found_where_it_was_made(customer: CustomerData) -> None:
    """Seeded: each member of events and checkpoints, each line left out, doubled or moved; by two verifiers."""
    for number in range(12):
        await record(customer, number)
    await keeper(customer).run_round()
    await record(customer, 99)
    lines, key = await exported(customer), await public_key(customer.engine)
    generator = random.Random(1)
    first = next(index for index, line in enumerate(lines) if "event" in json.loads(line))
    for index in range(first, len(lines) - 1):
        for member in json.loads(lines[index])["event"]:
            changed = json.loads(lines[index])
            old = changed["event"][member]
            changed["event"][member] = (
                old + 1 if isinstance(old, int) else {"a": 1} if isinstance(old, dict) else f"{old}x"
            )
            altered = [*lines[:index], json.dumps(changed) + "\n", *lines[index + 1 :]]
            findings = offline(altered, key).findings
            assert findings, member
            assert f"{index - first + 1}" in findings[0].where or member == "sequence"
            assert first_broken(altered, key) == index - first + 1
        without = [*lines[:index], *lines[index + 1 :]]
        assert not offline(without, key).sound and first_broken(without, key) is not None
        twice = [*lines[: index + 1], *lines[index:]]
        assert not offline(twice, key).sound and first_broken(twice, key) is not None
        other = generator.choice([each for each in range(first, len(lines) - 1) if each != index])
        moved = list(lines)
        moved[index], moved[other] = moved[other], moved[index]
        assert not offline(moved, key).sound and first_broken(moved, key) is not None
    for name in ("at", "kind", "sequence", "hash", "signature"):
        changed = json.loads(lines[1])
        old = changed["checkpoint"][name]
        changed["checkpoint"][name] = old + 1 if isinstance(old, int) else old[:-1] + ("0" if old[-1] != "0" else "1")
        altered = [lines[0], json.dumps(changed) + "\n", *lines[2:]]
        assert offline(altered, key).findings[0].kind == "signature"
        assert first_broken(altered, key) == "checkpoint"


async def test_an_export_signed_by_another_key_is_refused(customer: CustomerData) -> None:
    await keeper(customer).run_round()
    lines = await exported(customer)
    other = await _other_key()
    assert offline(lines).sound
    assert offline(lines, other).findings[0].kind == "signature"


async def _other_key() -> str:
    from inkgate.service.sealed import keys

    return keys.generate()[1]


@pytest.mark.parametrize(
    ("tampering", "where", "kind"),
    [
        ("UPDATE audit_event SET actor = 'console:someone' WHERE sequence = 5", "event 5", "content"),
        ("UPDATE audit_event SET result = 'refused' WHERE sequence = 1", "event 1", "content"),
        ("UPDATE audit_event SET account_name = NULL WHERE sequence = 7", "event 7", "content"),
        ("UPDATE audit_event SET hash = previous_hash WHERE sequence = 4", "event 4", "content"),
        ("UPDATE audit_event SET previous_hash = hash WHERE sequence = 3", "event 3", "link"),
        ("UPDATE audit_event SET hash = NULL, sequence = NULL WHERE sequence = 6", "event 6", "missing"),
        ("DELETE FROM audit_event WHERE sequence = 1", "event 1", "missing"),
        ("DELETE FROM audit_event WHERE sequence = 8", "event 8", "missing"),
        ("DELETE FROM audit_event WHERE sequence > 9", "event 10", "missing"),
        ("DELETE FROM audit_event", "event 1", "missing"),
    ],
)
async def test_tampering_with_a_row_is_found(customer: CustomerData, tampering: str, where: str, kind: str) -> None:
    for number in range(4):
        await record(customer, number)
    await keeper(customer).run_round()
    async with intruder(customer.engine) as connection:
        await connection.execute(text(tampering))
    for outcome in (await verified(customer.engine), offline(await exported(customer))):
        assert [each.where for each in outcome.findings][:1] == [where]
        assert outcome.findings[0].kind == kind


async def test_a_chain_computed_again_does_not_match_its_checkpoint(customer: CustomerData) -> None:
    """Someone who knows the rules changes a row and chains all later ones again, but cannot sign."""
    for number in range(4):
        await record(customer, number)
    await keeper(customer).run_round()
    async with work.read_session(customer.engine) as session:
        rows = await repository.chained(session, 1, 10**6)
    async with intruder(customer.engine) as connection:
        head = chain.HeadRow(id=1, algorithm="sm3", sequence=2, hash=rows[1].hash)
        for row in rows[2:]:
            row.actor = "console:someone"
            chain.link(head, row)
            change = (
                "UPDATE audit_event SET actor = :actor, previous_hash = :previous, hash = :hash WHERE sequence = :at"
            )
            values = {"actor": row.actor, "previous": row.previous_hash, "hash": row.hash, "at": row.sequence}
            await connection.execute(text(change), values)
        await connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": head.hash})
    outcome = await verified(customer.engine)
    assert [(each.kind, each.where) for each in outcome.findings] == [("checkpoint", f"event {len(rows)}")]
    assert (await verified(customer.engine, recent=True)).findings == outcome.findings


async def test_a_removed_end_is_found_without_a_checkpoint(customer: CustomerData) -> None:
    await record(customer, 1)
    async with intruder(customer.engine) as connection:
        await connection.execute(
            text("DELETE FROM audit_event WHERE sequence = (SELECT max(sequence) FROM audit_event)")
        )
    assert [each.kind for each in (await verified(customer.engine)).findings] == ["head"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_event SET actor = 'unknown'",
        "UPDATE audit_event SET hash = NULL",
        "UPDATE audit_event SET sequence = sequence + 100",
        "DELETE FROM audit_event",
        "DELETE FROM audit_event WHERE sequence = 1",
        "UPDATE audit_checkpoint SET sequence = 5",
        "DELETE FROM audit_checkpoint",
    ],
)
async def test_the_database_refuses_changes(customer: CustomerData, change: str) -> None:
    await keeper(customer).run_round()
    with pytest.raises(DBAPIError, match="append-only"):
        async with customer.engine.begin() as connection:
            await connection.execute(text(change))


async def test_rows_of_an_older_release_are_adopted(customer: CustomerData) -> None:
    insert = (
        "INSERT INTO audit_event (id, at, actor, action, subject, account_id, detail)"
        " VALUES (:id, :at, 'cli:root', 'app.qps', 'app old', NULL, '{\"qps\": 0.5, \"name\": \"旧\"}')"
    )
    async with customer.engine.begin() as connection:
        for _ in range(chain.ADOPTED_ROWS + 3):
            identifier = ids.new()
            values = {"id": identifier, "at": customer.clock.time}
            if customer.engine.dialect.name == "sqlite":
                values = {"id": identifier.replace("-", ""), "at": customer.clock.time.strftime("%Y-%m-%d %H:%M:%S.%f")}
            await connection.execute(text(insert), values)
    await keeper(customer).run_round()
    outcome = await verified(customer.engine)
    assert outcome.sound
    async with work.read_session(customer.engine) as session:
        assert await repository.unchained(session, 1) == []
        adopted = await repository.events(session, action="audit.adopt")
    assert sum(each.detail["rows"] for each in adopted) == chain.ADOPTED_ROWS + 3
    assert first_broken(await exported(customer), await public_key(customer.engine)) is None
    with pytest.raises(DBAPIError, match="append-only"):
        async with customer.engine.begin() as connection:
            await connection.execute(text("UPDATE audit_event SET subject = 'x' WHERE action = 'app.qps'"))


async def test_the_adoption_changes_nothing_else(customer: CustomerData) -> None:
    async with intruder(customer.engine) as connection:
        await connection.execute(text("UPDATE audit_event SET hash = NULL, sequence = NULL WHERE sequence = 2"))
    with pytest.raises(DBAPIError, match="append-only"):
        async with customer.engine.begin() as connection:
            if customer.engine.dialect.name == "sqlite":
                await _restore_sqlite_triggers(connection)
            change = "UPDATE audit_event SET hash = 'x', sequence = 99, actor = 'y' WHERE hash IS NULL"
            await connection.execute(text(change))


async def _restore_sqlite_triggers(connection: AsyncConnection) -> None:
    from importlib import import_module

    migration = import_module("inkgate.service.db.migrations.versions.0010_audit_chain")
    statement = next(each for each in migration.sqlite_triggers() if "audit_event_no_update" in each)
    await connection.execute(text(statement))


async def test_old_events_go_as_a_signed_beginning_of_the_chain(customer: CustomerData) -> None:
    for number in range(3):
        await record(customer, number)
    keep = keeper(customer, retention_days=180)
    await keep.run_round()
    before = len(await exported(customer))
    customer.clock.advance(days=200)
    await record(customer, 7)
    await keep.run_round()
    lines, outcome = await exported(customer), await verified(customer.engine)
    assert outcome.sound and len(lines) < before
    assert (outcome.first or 0) > 3 and first_broken(lines, await public_key(customer.engine)) is None
    assert offline(lines, await public_key(customer.engine)).sound
    async with work.read_session(customer.engine) as session:
        assert [each.action for each in await repository.events(session)] == ["audit.archive", "test.act"]
    with pytest.raises(DBAPIError, match="append-only"):
        async with customer.engine.begin() as connection:
            await connection.execute(text("DELETE FROM audit_event"))
    async with intruder(customer.engine) as connection:
        await connection.execute(text(f"DELETE FROM audit_event WHERE sequence = {outcome.first}"))
    assert (await verified(customer.engine)).findings[0].where == f"event {outcome.first}"


async def test_an_archive_checkpoint_without_a_signature_covers_no_deletion(customer: CustomerData) -> None:
    await record(customer, 1)
    await keeper(customer).run_round()
    async with intruder(customer.engine) as connection:
        columns = "at, hash, key_id, signature, id, kind, sequence"
        await connection.execute(
            text(f"INSERT INTO audit_checkpoint ({columns}) SELECT at, hash, key_id, signature, :id, 'archive', 3 "
                 "FROM audit_checkpoint"), {"id": ids.new().replace("-", "")},
        )  # fmt: skip
        await connection.execute(text("DELETE FROM audit_event WHERE sequence <= 3"))
    kinds = [each.kind for each in (await verified(customer.engine)).findings]
    assert kinds[:2] == ["signature", "missing"]


async def test_the_algorithm_may_change(customer: CustomerData) -> None:
    await keeper(customer, hash="sha256").run_round()
    await record(customer, 1)
    await keeper(customer, hash="sha256").run_round()
    await keeper(customer).run_round()
    await record(customer, 2)
    lines = await exported(customer)
    used = [json.loads(line)["event"]["hash"].partition(":")[0] for line in lines if "event" in json.loads(line)]
    assert used[-2:] == ["sha256", "sm3"] and used[0] == "sm3"
    assert offline(lines).sound and first_broken(lines, await public_key(customer.engine)) is None


async def test_a_transaction_that_is_rolled_back_leaves_no_event_and_no_gap(customer: CustomerData) -> None:
    with pytest.raises(RuntimeError):
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await trail.record(unit, "test.act", "object", None)
            raise RuntimeError
    await record(customer, 1)
    assert (await verified(customer.engine)).sound


async def test_refused_and_failed_events_are_bounded(customer: CustomerData) -> None:
    origin = work.Origin("console", "192.0.2.7")
    for _ in range(chain.MAX_UNSUCCESSFUL_OF_ADDRESS + 10):
        async with work.unit_of_work(customer.engine, "anonymous", customer.clock, origin) as unit:
            await trail.record(unit, "user.login", "user x", None, result="failed")
    async with work.read_session(customer.engine) as session:
        found = await repository.events(session, result="failed", limit=1000)
    assert len(found) == chain.MAX_UNSUCCESSFUL_OF_ADDRESS
    assert [each for each in found if "further_omitted_seconds" in each.detail] == [found[0]]
    async with work.unit_of_work(
        customer.engine, "anonymous", customer.clock, work.Origin("console", "192.0.2.8")
    ) as unit:
        await trail.record(unit, "user.login", "user x", None, result="failed")
    customer.clock.advance(minutes=2)
    async with work.unit_of_work(customer.engine, "anonymous", customer.clock, origin) as unit:
        await trail.record(unit, "user.login", "user x", None, result="failed")
    async with work.read_session(customer.engine) as session:
        assert len(await repository.events(session, result="failed", limit=1000)) == len(found) + 2


async def test_a_repeated_look_is_one_event(customer: CustomerData) -> None:
    for actor in ("console:a", "console:a", "console:b"):
        async with work.unit_of_work(customer.engine, actor, customer.clock) as unit:
            await trail.record_look(unit, "account.view", "account main", customer.account_id)
    customer.clock.advance(minutes=11)
    async with work.unit_of_work(customer.engine, "console:a", customer.clock) as unit:
        await trail.record_look(unit, "account.view", "account main", customer.account_id)
    async with work.read_session(customer.engine) as session:
        assert len(await repository.events(session, action="account.view")) == 3


async def test_a_part_of_the_trail_verifies_as_such(customer: CustomerData) -> None:
    for number in range(6):
        await record(customer, number)
        customer.clock.advance(hours=1)
        await keeper(customer).run_round()
    begin = customer.clock.time - timedelta(hours=4)
    part = await exported(customer, Filter(since=begin, until=begin + timedelta(hours=2)))
    assert json.loads(part[0])["contiguous"] is True and offline(part).sound
    events = [index for index, line in enumerate(part) if "event" in json.loads(line)]
    assert not offline([*part[: events[0]], *part[events[1] :]]).sound
    selected = await exported(customer, Filter(search="object 3"))
    assert json.loads(selected[0])["contiguous"] is False and offline(selected).sound
    assert json.loads(selected[-1]) == {"end": 1}
    assert json.loads((await exported(customer, Filter(search="nothing")))[-1]) == {"end": 0}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_concurrent_transactions_make_one_chain(customer: CustomerData) -> None:
    """Some of them wait for each other's rows as well: the lock on the chain is the last one, so none is a deadlock."""

    shared = text(
        "INSERT INTO audit_cursor VALUES (:name, 1, 'x', now()) ON CONFLICT (name) DO UPDATE SET sequence = 1"
    )

    async def act(number: int) -> None:
        async with work.unit_of_work(customer.engine, f"test:{number}", customer.clock) as unit:
            await trail.record(unit, "test.act", f"object {number}", None)
            for name in sorted({f"row {number % 3}", f"row {number % 5}"}):
                await unit.session.execute(shared, {"name": name})
            if number % 7 == 0:
                await trail.record(unit, "test.more", f"object {number}", None)

    await asyncio.gather(*(act(number) for number in range(40)))
    outcome = await verified(customer.engine)
    assert outcome.sound and outcome.last == outcome.events


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([], "line 1 does not begin"),
        (["{}\n"], "line 1 does not begin"),
        (["x\n"], "line 1 is not JSON"),
        (["[1]\n"], "line 1 is not an object"),
        (["[" * 100_000 + "\n"], "line 1 is not JSON"),
        (['{"format":"inkgate-audit","version":2}\n'], "line 1 does not begin"),
        (['{"format":"inkgate-audit","version":1}\n'], "no member 'keys'"),
        (['{"format":"inkgate-audit","version":1,"keys":["x"]}\n'], "the public key is not"),
        ([HEADER], "cut off"),
        ([HEADER, '{"end":1}\n'], "another number of events"),
        ([HEADER, '{"end":0}\n', '{"end":0}\n'], "after the end"),
        ([HEADER, '{"event":{"sequence":1}}\n'], "event 1 lacks id"),
        ([HEADER, '{"event":{"sequence":true}}\n'], "not a whole number"),
        ([HEADER, '{"event":3}\n'], ""),
    ],
)  # fmt: skip
def test_what_is_no_export_is_said_in_one_line(lines: list[str], what: str) -> None:
    outcome = offline(lines)
    assert [each.kind for each in outcome.findings] == ["format"]
    assert what in outcome.findings[0].what
