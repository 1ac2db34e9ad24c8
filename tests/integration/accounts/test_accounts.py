"""Accounts, access keys and apps, as operators change them and as gateways see them; on both databases."""

from __future__ import annotations

import base64
from datetime import timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import SqlDirectory, rules
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AccessKeyRow, AppRow
from inkgate.service.audit import repository as audit
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import DatabaseDown, Misuse
from inkgate.service.sealed import keys as sm2
from tests.ledger_data import CustomerData


@pytest.fixture
def directory(customer: CustomerData) -> SqlDirectory:
    return SqlDirectory(customer.engine, customer.vault, ttl=0.0, clock=customer.clock)


async def test_a_gateway_finds_the_key_and_the_app(customer: CustomerData, directory: SqlDirectory) -> None:
    key = await directory.access_key(customer.keys.ak)
    assert key is not None and (key.secret, key.account_id) == (customer.keys.sk.encode(), customer.account_id)
    assert customer.keys.sk not in repr(key)
    app = await directory.app(customer.app.appkey)
    assert app is not None and (app.app_id, app.account_id) == (customer.app.app_id, customer.account_id)
    assert sorted(app.opened) == ["general", "idcard", "licence", "plate"]
    assert app.opened["general"].qps == 10.0
    assert sm2.public_of(app.sm2_private_key) == customer.app.enckey
    assert len(base64.b64decode(customer.app.enckey)) == 91
    await directory.close()


@pytest.mark.parametrize("unknown", ["", "0" * 32, "x" * 4000, "' OR 1=1 --"])
async def test_unknown_keys_are_rejected(directory: SqlDirectory, unknown: str) -> None:
    assert await directory.access_key(unknown) is None
    assert await directory.app(unknown) is None


async def test_secrets_are_not_in_the_database(customer: CustomerData) -> None:
    async with work.read_session(customer.engine) as session:
        key, app = await session.scalar(select(AccessKeyRow)), await session.scalar(select(AppRow))
    assert key is not None and customer.keys.sk.encode() not in key.sealed_secret
    assert app is not None and customer.app.secret.encode() not in app.sealed_secret
    assert len(customer.keys.sk) == len(customer.keys.ak) == len(customer.app.appkey) == len(customer.app.secret) == 32


async def test_a_disabled_key_stops_and_an_enabled_one_works_again(
    customer: CustomerData, directory: SqlDirectory
) -> None:
    for disabled in (True, False):
        async with work.unit_of_work(customer.engine, "test") as unit:
            await accounts.disable_access_key(unit, customer.keys.ak, disabled=disabled)
        assert (await directory.access_key(customer.keys.ak) is None) is disabled


async def test_a_rotated_key_stays_valid_for_the_overlap(customer: CustomerData, directory: SqlDirectory) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        successor = await accounts.rotate_access_key(unit, customer.vault, customer.keys.ak, overlap=timedelta(hours=1))
    assert await directory.access_key(customer.keys.ak) and await directory.access_key(successor.ak)
    customer.clock.advance(hours=1)
    assert await directory.access_key(customer.keys.ak) is None
    assert await directory.access_key(successor.ak) is not None


async def test_the_last_use_of_a_key_is_recorded(customer: CustomerData, directory: SqlDirectory) -> None:
    await directory.access_key(customer.keys.ak)
    await directory.close()
    async with work.read_session(customer.engine) as session:
        key = await session.get_one(AccessKeyRow, customer.keys.ak)
    assert key.last_used_at == customer.clock.time


async def test_a_suspended_main_account_stops_its_sub_accounts(customer: CustomerData, directory: SqlDirectory) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        child = await accounts.create_account(unit, "child", parent_id=customer.account_id)
        pair = await accounts.create_access_key(unit, customer.vault, child.id)
    assert await directory.access_key(pair.ak)
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.suspend_account(unit, customer.account_id)
    assert await directory.access_key(pair.ak) is None
    assert await directory.access_key(customer.keys.ak) is None


async def test_keys_of_the_main_account_are_not_for_the_apps_of_a_sub_account(
    customer: CustomerData, directory: SqlDirectory
) -> None:
    """The gateway answers 40006 when the two differ: only the bill rolls up to the main account."""
    async with work.unit_of_work(customer.engine, "test") as unit:
        child = await accounts.create_account(unit, "child", parent_id=customer.account_id)
        pair = await accounts.create_access_key(unit, customer.vault, child.id)
        app = await accounts.create_app(unit, customer.vault, child.id, "child_app")
    main_key, key = await directory.access_key(customer.keys.ak), await directory.access_key(pair.ak)
    main_app, found = await directory.app(customer.app.appkey), await directory.app(app.appkey)
    assert main_key and key and main_app and found
    assert key.account_id == found.account_id == child.id
    assert main_key.account_id == main_app.account_id == customer.account_id


async def test_a_sub_account_has_no_sub_accounts(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        child = await accounts.create_account(unit, "child", parent_id=customer.account_id)
        with pytest.raises(Misuse, match="existing main account"):
            await accounts.create_account(unit, "grandchild", parent_id=child.id)


async def test_a_deleted_app_is_rejected_and_its_name_is_free_again(
    customer: CustomerData, directory: SqlDirectory
) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        with pytest.raises(Misuse, match="already"):
            await accounts.create_app(unit, customer.vault, customer.account_id, customer.app.name)
        await accounts.delete_app(unit, customer.app.app_id)
        await accounts.create_app(unit, customer.vault, customer.account_id, customer.app.name)
    assert await directory.app(customer.app.appkey) is None


async def test_allow_lists_and_rates_reach_the_gateway(customer: CustomerData, directory: SqlDirectory) -> None:
    app_id = customer.app.app_id
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.set_allowed(unit, app_id, ["192.0.2.7/24", "2001:db8::1"])
        await accounts.set_allowed(unit, app_id, ["198.51.100.1"], capability="plate")
        await accounts.set_qps(unit, app_id, "plate", 2.5)
    app = await directory.app(customer.app.appkey)
    assert app is not None
    assert app.allowed == (ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))
    assert app.opened["plate"].allowed == (ip_network("198.51.100.1/32"),)
    assert (app.opened["plate"].qps, app.opened["general"].allowed) == (2.5, ())


async def test_opening_again_changes_nothing(customer: CustomerData, directory: SqlDirectory) -> None:
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.set_qps(unit, customer.app.app_id, "general", 3)
        await accounts.open_capability(unit, customer.app.app_id, "general", qps=99)
    app = await directory.app(customer.app.appkey)
    assert app is not None and app.opened["general"].qps == 3


@pytest.mark.parametrize("name", ["abcd", "识别应用", "a_23", "文ab1", "A" * 15, "测试测试2"])
def test_names_that_the_manual_allows(name: str) -> None:
    assert rules.app_name(name) == name


@pytest.mark.parametrize("name", ["", "abc", "A" * 16, "1abc", "_abc", "ab-cd", "ab cd", "ａｂｃｄ", "abcd\n", "abc￥"])
def test_names_that_the_manual_refuses(name: str) -> None:
    with pytest.raises(Misuse, match="4–15 Chinese characters"):
        rules.app_name(name)


@pytest.mark.parametrize("networks", [["nonsense"], ["10.0.0.0/33"], [f"10.0.0.{n}" for n in range(101)]])
def test_invalid_allow_lists(networks: list[str]) -> None:
    with pytest.raises(Misuse):
        rules.networks(networks)


async def test_the_audit_trail_names_who_did_what_and_no_secret(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "admin:olga", customer.clock) as unit:
        assert await accounts.app_secret(unit, customer.vault, customer.app.app_id) == customer.app.secret
        pair = await accounts.create_access_key(unit, customer.vault, customer.account_id)
    async with work.read_session(customer.engine) as session:
        events = await audit.events(session, account_id=customer.account_id)
    assert [(event.actor, event.action) for event in events][:2] == [
        ("admin:olga", "key.create"),
        ("admin:olga", "app.reveal"),
    ]
    written = " ".join(f"{event.subject} {event.detail}" for event in events)
    assert pair.sk not in written and customer.app.secret not in written and customer.keys.sk not in written


@pytest.mark.parametrize("change", ["UPDATE audit_event SET actor = 'unknown'", "DELETE FROM audit_event"])
async def test_the_audit_trail_is_append_only(customer: CustomerData, engine: AsyncEngine, change: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(text(change))


async def test_a_failed_change_leaves_no_trace(customer: CustomerData) -> None:
    async def fail() -> None:
        async with work.unit_of_work(customer.engine, "test") as unit:
            await half_done(unit)

    async def half_done(unit: UnitOfWork) -> None:
        await accounts.create_account(unit, "half")
        raise Misuse("account.parent_invalid")

    with pytest.raises(Misuse):
        await fail()
    async with work.read_session(customer.engine) as session:
        assert all(event.subject != "account half" for event in await audit.events(session))


async def test_an_unreachable_directory_fails_closed(customer: CustomerData) -> None:
    from inkgate.service.db import engine as engines
    from inkgate.service.settings import Database

    engine = engines.create(Database(url="postgresql+asyncpg://x@127.0.0.1:1/x"))
    with pytest.raises(DatabaseDown):
        await SqlDirectory(engine, customer.vault).access_key("0" * 32)
    await engine.dispose()


async def test_the_directory_queries_the_database_once_per_ttl(customer: CustomerData) -> None:
    directory = SqlDirectory(customer.engine, customer.vault, ttl=60)
    assert await directory.app(customer.app.appkey)
    async with work.unit_of_work(customer.engine, "test") as unit:
        await accounts.delete_app(unit, customer.app.app_id)
    assert await directory.app(customer.app.appkey)
