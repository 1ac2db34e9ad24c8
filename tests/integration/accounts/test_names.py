"""App names that several accounts use: finding an app, and the default app of a new account; on both databases."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import lookup, repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AppRow
from inkgate.service.audit import repository as audit
from inkgate.service.db import ids, work
from inkgate.service.errors import Misuse
from tests.ledger_data import CustomerData

DEFAULT = "默认应用"


async def app_in(customer: CustomerData, account: str, name: str = DEFAULT) -> AppRow:
    """An app of a new account."""
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        owner = await accounts.create_account(unit, account)
        made = await accounts.create_app(unit, customer.vault, owner.id, name)
        return await accounts.get_app(unit, made.app_id)


async def found(engine: AsyncEngine, text_: str, account_ids: list[str] | None = None) -> str | None:
    async with work.unit_of_work(engine, "test") as unit:
        app = await lookup.find_app(unit, text_, account_ids)
        return app.id if app else None


async def test_two_accounts_use_a_name_and_one_account_uses_it_once(customer: CustomerData) -> None:
    first, second = await app_in(customer, "青禾"), await app_in(customer, "城东")
    assert first.name == second.name and first.appkey != second.appkey
    with pytest.raises(Misuse, match="has an app '默认应用' already"):
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await accounts.create_app(unit, customer.vault, first.account_id, DEFAULT)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await accounts.delete_app(unit, first.id)
        again = await accounts.create_app(unit, customer.vault, first.account_id, DEFAULT)
    assert await found(customer.engine, DEFAULT, [first.account_id]) == again.app_id


async def test_the_database_itself_refuses_a_second_live_app_of_a_name(customer: CustomerData) -> None:
    row = await app_in(customer, "青禾")
    columns = [each.name for each in AppRow.__table__.columns]
    copied = ", ".join({"id": ":id", "appkey": ":appkey"}.get(each, each) for each in columns)
    statement = text(f"INSERT INTO app ({', '.join(columns)}) SELECT {copied} FROM app WHERE appkey = :old")
    new_id = ids.new()
    async with customer.engine.begin() as connection:
        values = {"id": new_id if customer.engine.dialect.name == "postgresql" else new_id.replace("-", "")}
        with pytest.raises(IntegrityError, match=r"uq_app_name_account_live|app\.name, app\.account_id"):
            async with connection.begin_nested():
                await connection.execute(statement, values | {"appkey": "k" * 32, "old": row.appkey})


async def test_an_ambiguous_name_is_refused_with_account_and_appkey_of_each(customer: CustomerData) -> None:
    first, second = await app_in(customer, "青禾"), await app_in(customer, "城东")
    for app in (first, second):
        assert await found(customer.engine, app.appkey) == await found(customer.engine, app.id) == app.id
        assert await found(customer.engine, DEFAULT, [app.account_id]) == app.id
        assert await found(customer.engine, app.appkey, [customer.account_id]) is None
    with pytest.raises(Misuse) as refused:
        await found(customer.engine, DEFAULT)
    said = str(refused.value)
    assert (
        said == (f"2 apps are named '默认应用'; give the AppKey of one: 城东 ({second.appkey}), 青禾 ({first.appkey})")
        and "\n" not in said
    )
    assert await found(customer.engine, DEFAULT, [customer.account_id]) is None
    assert await found(customer.engine, "nosuch_app") is None


async def test_the_list_of_a_refusal_is_bounded(customer: CustomerData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MAX_LISTED", 2)
    for name in ("c", "a", "b"):
        await app_in(customer, name)
    with pytest.raises(Misuse, match=r"3 apps .*: a \(\w+\), b \(\w+\), …$"):
        await found(customer.engine, DEFAULT)


@pytest.mark.parametrize("seed", range(4))
async def test_of_any_accounts_each_app_is_found_and_none_for_another(customer: CustomerData, seed: int) -> None:
    """Random accounts with names of a small set, live and deleted, against a search of a list."""
    draw, names = random.Random(seed), (DEFAULT, "portal_app", "gate_app")
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        for number in range(6):
            owner = await accounts.create_account(unit, f"account {number}")
            for name in draw.choices(names, k=3):
                if await repository.live_app_named(unit.session, owner.id, name):
                    continue
                app = await accounts.create_app(unit, customer.vault, owner.id, name)
                if draw.random() < 0.3:
                    await accounts.delete_app(unit, app.app_id)
    async with work.read_session(customer.engine) as session:
        rows = list(await session.scalars(select(AppRow)))
    owners = sorted({each.account_id for each in rows})
    for row in rows:
        expected = row.id if row.deleted_at is None else None
        assert await found(customer.engine, row.appkey) == await found(customer.engine, row.id) == expected
    for name in names:
        for scope in (None, *([each] for each in owners), owners[:3]):
            fits = [
                each.id for each in rows
                if each.name == name and each.deleted_at is None and (scope is None or each.account_id in scope)
            ]  # fmt: skip
            if len(fits) > 1:
                with pytest.raises(Misuse, match=f"{len(fits)} apps are named"):
                    await found(customer.engine, name, scope)
            else:
                assert await found(customer.engine, name, scope) == (fits[0] if fits else None)


@pytest.mark.parametrize("is_sub", [False, True])
async def test_a_new_account_gets_its_default_app_in_the_same_transaction(customer: CustomerData, is_sub: bool) -> None:
    parent_id = customer.account_id if is_sub else None
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        account, made = await accounts.create_account_with_app(
            unit, customer.vault, "青禾", parent_id=parent_id, default_app=DEFAULT
        )
        other, none = await accounts.create_account_with_app(unit, customer.vault, "城东", default_app="")
    assert made is not None and none is None and len(made.secret) == 32
    async with work.read_session(customer.engine) as session:
        (row,) = await repository.apps(session, [account.id, other.id])
        assert (row.id, row.name, row.account_id) == (made.app_id, DEFAULT, account.id)
        assert await repository.opened_capabilities(session, row.id) == []
        events = await audit.events(session, account_id=account.id)
    assert [each.action for each in events] == ["app.create", "account.create"]
    with pytest.raises(Misuse):
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await accounts.create_account_with_app(unit, customer.vault, "新账号", default_app="no")
    async with work.read_session(customer.engine) as session:
        assert await repository.account_named(session, "新账号") is None
