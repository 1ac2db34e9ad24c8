"""Imports into both databases: what gateways see of them, a bad row changes nothing, and two imports at once."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import SqlDirectory, rotation
from inkgate.service.accounts import repository as accounts_repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AccessKeyRow, Account, AppRow
from inkgate.service.accounts.service import key_context, secret_context, sm2_context
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.audit.models import EventRow
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.importing.records import APP_RECORDS, FIELDS, Report
from inkgate.service.importing.service import import_file, import_sm2_key
from inkgate.service.metering import service as metering
from inkgate.service.sealed import keys as sm2
from inkgate.service.tables import metadata
from tests.ledger_data import CustomerData
from tests.unit.importing.files import Fields, as_csv, as_json, company, pair

Contents = dict[str, list[tuple[object, ...]]]


async def contents(engine: AsyncEngine) -> Contents:
    """Every row of every table."""
    async with work.read_session(engine) as session:
        return {
            table.name: sorted((tuple(row) for row in await session.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


async def run(
    customer: CustomerData, records: list[Fields], *, apply: bool = True, kinds: tuple[str, ...] = tuple(FIELDS)
) -> Report:
    def begin():  # type: ignore[no-untyped-def]
        return work.unit_of_work(customer.engine, "test", customer.clock)

    return await import_file(begin, customer.vault, as_csv(records), apply=apply, kinds=kinds)


def codes(report: Report) -> list[tuple[int, str, str]]:
    return [(each.row, each.field, each.reason.code) for each in report.problems]


async def test_gateways_see_what_was_imported(customer: CustomerData) -> None:
    records = company()
    report = await run(customer, records)
    assert report.applied and report.problems == () and report.sealing == ()
    assert report.counts == {"account": 2, "key": 2, "app": 1, "capability": 2, "pack": 2}
    directory = SqlDirectory(customer.engine, customer.vault, ttl=0.0, clock=customer.clock)
    async with work.read_session(customer.engine) as session:
        ids = {each.name: each.id for each in await session.scalars(select(Account))}
        parents = {each.name: each.parent_id for each in await session.scalars(select(Account))}
    assert parents["云上公司分部"] == ids["云上公司"]
    for record in (records[2], records[3]):
        key = await directory.access_key(record["id"])
        assert key is not None
        assert (key.secret.decode(), key.account_id) == (record["secret"], ids[record["account"]])
    app = await directory.app(records[4]["id"])
    assert app is not None and (app.name, app.account_id) == ("扫描前台", ids["云上公司"])
    assert sorted(map(str, app.allowed)) == ["127.0.0.0/8", "::1/128"]
    assert app.opened["general"].qps == 25.0 and app.opened["general"].allowed == (ip_network("127.0.0.1"),)
    assert app.opened["licence"].qps == 10.0
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        assert await accounts.app_secret(unit, customer.vault, app.app_id) == records[4]["secret"]
    await directory.close()


async def test_remaining_units_are_a_pack_with_its_own_end(customer: CustomerData) -> None:
    records = company()
    records.insert(7, records[7] | {"units": "30", "ends": "2026-12-31"})
    await run(customer, records)
    async with work.read_session(customer.engine) as session:
        account = await accounts_repository.account_named(session, "云上公司")
        assert account is not None
        packs = await metering.packs_of(session, account.id, "general")
        (shared,) = await metering.packs_of(session, account.id, "idcard")
    assert [(each.total, each.used, each.ends_at) for each in packs] == [
        (30, 0, datetime(2026, 12, 31, 16, tzinfo=UTC)),
        (1200, 0, datetime(2027, 3, 31, 16, tzinfo=UTC)),
    ]
    assert all(each.starts_at <= customer.clock.time and each.app_id for each in packs)
    assert shared.app_id is None and shared.ends_at == datetime(2027, 3, 31, 4, tzinfo=UTC)
    ledger = customer.ledger()
    await ledger.start()
    call = customer.call(units=40, app_id=packs[0].app_id)
    await ledger.settle(call)
    await ledger.close()
    assert [await customer.used(each.id) for each in packs] == [30, 10]


async def test_units_of_a_sub_account_belong_to_its_main_account(customer: CustomerData) -> None:
    records = company()
    records[4]["account"] = "云上公司分部"
    await run(customer, records)
    async with work.read_session(customer.engine) as session:
        account = await accounts_repository.account_named(session, "云上公司")
        assert account is not None
        assert len(await metering.packs_of(session, account.id, "general")) == 1


async def test_a_dry_run_reports_the_same_and_changes_nothing(customer: CustomerData) -> None:
    before = await contents(customer.engine)
    records = company()
    tried = await run(customer, records, apply=False)
    assert not tried.applied and tried.problems == ()
    assert await contents(customer.engine) == before
    done = await run(customer, records)
    assert done.applied and done.counts == tried.counts
    assert codes(await run(customer, records, apply=False))


BREAKS: list[Callable[[Fields], Fields]] = [
    lambda record: record | {"record": "nothing"},
    lambda record: {name: value for name, value in record.items() if name == "record"},
    lambda record: (
        record | {"parent": "无此公司"} if record["record"] == "account" else record | {"account": "无此公司"}
    ),
    lambda record: (
        record | {"app": "无此应用_"} if record["record"] in ("capability", "pack") else record | {"app": ""}
    ),
]


@pytest.mark.parametrize("place", range(9))
async def test_a_bad_row_anywhere_changes_nothing(customer: CustomerData, place: int) -> None:
    """Every kind of damage to the row at `place`, and the row twice; rows that the damage leaves good are skipped."""
    before = await contents(customer.engine)
    broken = 0
    for damage in BREAKS:
        records = company()
        damaged = damage(records[place])
        if damaged == records[place] | {"app": ""}:
            continue
        records[place] = damaged
        report = await run(customer, records)
        assert place + 2 in {each.row for each in report.problems} and not report.applied
        assert await contents(customer.engine) == before
        broken += 1
    records = company()
    assert not (await run(customer, [*records, records[place]])).applied
    assert await contents(customer.engine) == before
    assert broken >= 2


async def test_random_files_are_imported_whole_or_not_at_all(customer: CustomerData) -> None:
    """Round trip: of each file either all records are found, or none. Seeded; a third of the files has a bad row."""
    generator = random.Random(48)
    applied = 0
    for attempt in range(24):
        records = company(f"公司{attempt}", f"应用_{attempt:03d}")
        generator.shuffle(records)
        bad = generator.random() < 0.33
        if bad:
            place = generator.randrange(len(records))
            records.insert(place, records[generator.randrange(len(records))])
        before = await contents(customer.engine)
        data = as_json(records) if generator.random() < 0.5 else as_csv(records)
        report = await import_file(
            lambda: work.unit_of_work(customer.engine, "test", customer.clock), customer.vault, data, apply=True
        )
        assert report.applied is not bad
        after = await contents(customer.engine)
        if bad:
            assert after == before
            continue
        applied += 1
        changed = {name for name in after if after[name] != before[name]} - {"audit_head"}
        grown = {name: len(after[name]) - len(before[name]) for name in changed}
        assert grown == {
            "account": 2, "access_key": 2, "app": 1, "app_capability": 2, "app_allowed": 3, "pack": 2, "meter": 2,
            "audit_event": grown["audit_event"],
        }  # fmt: skip
    assert 8 < applied < 24


async def test_what_exists_already_is_refused_row_by_row(customer: CustomerData) -> None:
    records = company()
    await run(customer, records)
    assert codes(await run(customer, records)) == [
        (2, "account", "import.account_exists"),
        (3, "account", "import.account_exists"),
        (4, "id", "import.key_exists"),
        (5, "id", "import.key_exists"),
        (6, "app", "import.app_exists"),
        (6, "id", "import.appkey_exists"),
        (7, "capability", "import.capability_opened"),
        (8, "capability", "import.capability_opened"),
    ]


async def test_a_second_file_adds_to_accounts_and_apps_that_exist(customer: CustomerData) -> None:
    app = customer.app.name
    more = [
        {"record": "app", "account": customer.name, "app": "第二个应用", **pair()},
        {"record": "capability", "app": "第二个应用", "capability": "plate"},
        {"record": "pack", "app": app, "capability": "plate", "units": "9", "ends": "2027-01-01"},
    ]
    assert (await run(customer, more, kinds=APP_RECORDS)).applied
    assert codes(await run(customer, [{"record": "key", "account": "无此公司", **pair()}])) == [
        (2, "account", "import.account_missing")
    ]


async def test_references_and_ends_are_checked(customer: CustomerData) -> None:
    past = customer.clock.time - timedelta(days=1)
    records = [
        {"record": "account", "account": "甲", "parent": "无此公司"},
        {"record": "account", "account": "乙", "parent": "甲"},
        {"record": "app", "account": "无此公司", "app": "某个应用", **pair()},
        {"record": "capability", "app": "无此应用", "capability": "plate"},
        {"record": "pack", "app": customer.app.name, "capability": "plate", "units": "9", "ends": past.isoformat()},
        {"record": "pack", "account": "无此公司", "capability": "plate", "units": "9", "ends": "2027-01-01"},
    ]
    assert codes(await run(customer, records)) == [
        (2, "parent", "import.parent_invalid"),
        (3, "parent", "import.parent_invalid"),
        (4, "account", "import.account_missing"),
        (5, "app", "import.app_missing"),
        (6, "ends", "import.ends_past"),
        (7, "account", "import.account_missing"),
    ]


async def test_the_limits_of_an_account_hold(customer: CustomerData) -> None:
    keys = [{"record": "key", "account": customer.name, **pair()} for _ in range(accounts.KEYS_PER_ACCOUNT)]
    assert codes(await run(customer, keys)) == [(accounts.KEYS_PER_ACCOUNT + 1, "account", "key.limit")]
    assert (await run(customer, keys[1:])).applied


async def test_the_key_of_a_deleted_app_is_imported_again(customer: CustomerData) -> None:
    """An operator who deletes what was imported can repeat the import; ledger entries keep their app."""
    records = company()
    await run(customer, records)
    directory = SqlDirectory(customer.engine, customer.vault, ttl=0.0)
    former = await directory.app(records[4]["id"])
    assert former is not None
    ledger = customer.ledger()
    await ledger.start()
    await ledger.settle(customer.call(app_id=former.app_id))
    await ledger.close()
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.delete_app(unit, former.app_id)
    assert await directory.app(records[4]["id"]) is None
    for _ in range(2):  # the second time meets a live app again
        report = await run(customer, records[4:6], kinds=APP_RECORDS)
    assert codes(report) == [
        (2, "app", "import.app_exists"),
        (2, "id", "import.appkey_exists"),
        (3, "capability", "import.capability_opened"),
    ]
    again = await directory.app(records[4]["id"])
    assert again is not None and again.app_id != former.app_id
    assert await directory.app(f"deleted-{former.app_id}") is None
    (line,) = await customer.lines()
    assert line.app_id == former.app_id


async def test_secrets_are_sealed_and_in_no_audit_event(customer: CustomerData) -> None:
    records = company()
    private, _ = sm2.generate()
    records[4]["sm2_private_key"] = private.hex()
    await run(customer, records)
    found = await contents(customer.engine)
    secrets = [records[place]["secret"] for place in (2, 3, 4)]
    everything = repr(found)
    assert not any(secret in everything for secret in (*secrets, private.hex(), repr(private)))
    async with work.read_session(customer.engine) as session:
        events = list(await session.scalars(select(EventRow).where(EventRow.at == customer.clock.time)))
        imported = [each for each in events if each.detail.get("imported")]
    assert {each.action for each in imported} == {
        "account.create", "key.create", "app.create", "app.open", "app.allow", "pack.grant"
    }  # fmt: skip
    (whole,) = [each for each in events if each.action == "import.apply"]
    assert whole.detail == {"account": 2, "key": 2, "app": 1, "capability": 2, "pack": 2}


async def test_imported_secrets_follow_the_master_key(customer: CustomerData) -> None:
    old, fresh = new_key(), new_key()
    records = company()
    customer.vault = Vault([old])
    await run(customer, records)
    async with work.unit_of_work(customer.engine, "test") as unit:
        for key in await accounts_repository.lock_access_keys(unit.session):
            if key.imported_at is None:  # sealed under the key of the fixture
                key.sealed_secret = customer.vault.seal(b"another", key_context(key.ak))
        for app in await accounts_repository.lock_apps(unit.session):
            if app.imported_at is None:
                app.sealed_secret = customer.vault.seal(b"another", secret_context(app.id))
                app.sealed_sm2_key = customer.vault.seal(b"another", sm2_context(app.id))
    begin = partial(work.unit_of_work, customer.engine, "test")
    assert await rotation.reseal(begin, Vault([fresh, old])) == 3 + 4
    directory = SqlDirectory(customer.engine, Vault([fresh]), ttl=0.0)
    found = await directory.access_key(records[2]["id"])
    assert found is not None and found.secret.decode() == records[2]["secret"]
    await directory.close()


async def test_a_sealing_app_keeps_its_key_pair_or_is_listed_with_the_new_one(customer: CustomerData) -> None:
    private, enckey = sm2.generate()
    own = {"record": "app", "account": customer.name, "app": "带私钥应用", **pair(), "sm2_private_key": private.hex()}
    new = {"record": "app", "account": customer.name, "app": "加密的应用", **pair(), "seals": "yes"}
    plain = {"record": "app", "account": customer.name, "app": "明文的应用", **pair()}
    tried = await run(customer, [own, new, plain], apply=False)
    assert [(each.name, each.own_key, each.enckey) for each in tried.sealing] == [
        ("带私钥应用", True, ""),
        ("加密的应用", False, ""),
    ]
    report = await run(customer, [own, new, plain])
    assert [(each.name, each.own_key) for each in report.sealing] == [("带私钥应用", True), ("加密的应用", False)]
    assert report.sealing[0].enckey == enckey
    directory = SqlDirectory(customer.engine, customer.vault, ttl=0.0)
    kept, made = await directory.app(own["id"]), await directory.app(new["id"])
    assert kept is not None and kept.sm2_private_key == private
    assert made is not None and sm2.public_of(made.sm2_private_key) == report.sealing[1].enckey


async def test_a_key_pair_is_imported_for_an_app_that_exists(customer: CustomerData) -> None:
    private, enckey = sm2.generate()
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        with pytest.raises(Misuse, match="no SM2 private key"):
            await import_sm2_key(unit, customer.vault, customer.app.app_id, "secret")
        row = await import_sm2_key(unit, customer.vault, customer.app.app_id, private.hex())
        assert row.sm2_public_key == enckey
    app = await SqlDirectory(customer.engine, customer.vault, ttl=0.0).app(customer.app.appkey)
    assert app is not None and app.sm2_private_key == private
    async with work.read_session(customer.engine) as session:
        stored = await session.get_one(AppRow, customer.app.app_id)
        assert stored.seals and stored.sm2_imported and stored.imported_at is None
        event = await session.scalar(select(EventRow).where(EventRow.action == "app.sm2_import"))
        assert event is not None and private.hex() not in json.dumps(event.detail)


async def test_of_two_imports_of_a_file_at_once_one_counts(customer: CustomerData) -> None:
    """The second waits for the first and reports each of its rows, whichever comes first."""
    records = company()
    reports = await asyncio.gather(*(run(customer, records) for _ in range(4)))
    assert sorted(each.applied for each in reports) == [False, False, False, True]
    for each in reports:
        if not each.applied:
            assert {problem.reason.kind for problem in each.problems} == {"conflict"}
    async with work.read_session(customer.engine) as session:
        keys = list(await session.scalars(select(AccessKeyRow.ak).where(AccessKeyRow.imported_at.is_not(None))))
    assert sorted(keys) == sorted([records[2]["id"], records[3]["id"]])


async def test_an_import_and_a_creation_of_the_same_app_leave_one(customer: CustomerData) -> None:
    app = {"record": "app", "account": customer.name, "app": "同名的应用", **pair()}

    async def create() -> bool:
        try:
            async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
                await accounts.create_app(unit, customer.vault, customer.account_id, "同名的应用")
        except Misuse:
            return False
        return True

    async def bring() -> bool:
        try:
            return (await run(customer, [app], kinds=APP_RECORDS)).applied
        except Misuse as problem:  # the other one came between the check and the insert
            assert problem.code == "database.changed_meanwhile"
            return False

    for _ in range(3):
        results = await asyncio.gather(create(), bring())
        assert sum(results) <= 1
        async with work.read_session(customer.engine) as session:
            query = select(AppRow).where(AppRow.name == "同名的应用", AppRow.deleted_at.is_(None))
            assert len(list(await session.scalars(query))) == 1


async def test_the_largest_file_takes_seconds(customer: CustomerData) -> None:
    """2000 records; the transaction must not keep other writers waiting for long."""
    records: list[Fields] = [{"record": "account", "account": f"客户{number}"} for number in range(400)]
    for number in range(400):
        records.append({"record": "key", "account": f"客户{number}", **pair()})
        app = f"应用_{number:05d}"
        records.append({"record": "app", "account": f"客户{number}", "app": app, **pair()})
        records.append({"record": "capability", "app": app, "capability": "general"})
        records.append({"record": "pack", "app": app, "capability": "general", "units": "10", "ends": "2027-01-01"})
    report = await run(customer, records)
    assert report.applied and sum(report.counts.values()) == 2000
