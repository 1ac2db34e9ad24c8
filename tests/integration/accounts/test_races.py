"""Concurrent changes of the same account, key, app, token or user. On a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AccessKeyRow
from inkgate.service.accounts.service import NewApp
from inkgate.service.admin import tokens
from inkgate.service.audit.models import EventRow
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import SessionRow, UserRow
from inkgate.service.users.passwords import Passwords
from tests.concurrency import after_a_look, overlapping
from tests.console.console_fixture import cheap_passwords
from tests.ledger_data import CustomerData

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
LIFETIME = users.Lifetime(users.Lock().duration, users.Lock().duration)
MODES = ("overlapping", "after a look")


async def both(customer: CustomerData, mode: str, look: Any, first: Any, second: Any) -> Any:
    if mode == "overlapping":
        return await overlapping(customer.engine, first, second, customer.clock)
    return await after_a_look(customer.engine, look, first, second, customer.clock)


async def events(engine: AsyncEngine, action: str) -> int:
    async with work.read_session(engine) as session:
        return await session.scalar(select(func.count()).select_from(EventRow).where(EventRow.action == action)) or 0


@pytest.mark.parametrize("mode", MODES)
async def test_an_app_is_deleted_once(customer: CustomerData, mode: str) -> None:
    app_id = customer.app.app_id

    async def delete(unit: UnitOfWork) -> None:
        await accounts.delete_app(unit, app_id)

    outcome = await both(customer, mode, lambda unit: repository.app(unit.session, app_id), delete, delete)
    assert (str(outcome.second), await events(customer.engine, "app.delete")) == (f"no app {app_id}", 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", ["open", "qps", "allow", "extras", "reveal"])
async def test_nothing_of_an_app_changes_once_it_is_being_deleted(
    customer: CustomerData, change: str, mode: str
) -> None:
    app_id = customer.app.app_id

    async def second(unit: UnitOfWork) -> object:
        if change == "open":
            return await accounts.open_capability(unit, app_id, "general")
        if change == "qps":
            return await accounts.set_qps(unit, app_id, "general", 3.0)
        if change == "allow":
            return await accounts.set_allowed(unit, app_id, ["192.0.2.1"])
        if change == "reveal":
            return await accounts.app_secret(unit, customer.vault, app_id)
        return await accounts.set_extras(unit, app_id, True)

    outcome = await both(
        customer,
        mode,
        lambda unit: repository.app(unit.session, app_id),
        lambda unit: accounts.delete_app(unit, app_id),
        second,
    )
    assert str(outcome.second) == f"no app {app_id}"


async def test_two_allow_lists_are_not_mixed(customer: CustomerData) -> None:
    app_id = customer.app.app_id

    def allow(network: str) -> Any:
        return lambda unit: accounts.set_allowed(unit, app_id, [network])

    await overlapping(customer.engine, allow("192.0.2.1"), allow("192.0.2.2"), customer.clock)
    async with work.read_session(customer.engine) as session:
        assert [each.network for each in await repository.allow_list(session, app_id)] == ["192.0.2.2/32"]


@pytest.mark.parametrize("make", ["key", "app", "rotate"])
async def test_the_limits_of_keys_and_apps_hold(
    customer: CustomerData, make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "KEYS_PER_ACCOUNT", 2)
    monkeypatch.setattr(accounts, "APPS_PER_ACCOUNT", 2)
    names = iter(("left_app", "right_app"))

    async def another(unit: UnitOfWork) -> object:
        if make == "key":
            return await accounts.create_access_key(unit, customer.vault, customer.account_id)
        if make == "rotate":
            return await accounts.rotate_access_key(unit, customer.vault, customer.keys.ak)
        return await accounts.create_app(unit, customer.vault, customer.account_id, next(names))

    outcome = await overlapping(customer.engine, another, another, customer.clock)
    assert isinstance(outcome.second, Misuse) and "at most 2" in str(outcome.second)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", [True, False])
async def test_switching_the_same_way_twice_is_one_change(customer: CustomerData, direction: bool, mode: str) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        token = await tokens.create_token(unit, "robot", ["usage:read"])
        await accounts.suspend_account(unit, customer.account_id, suspended=not direction)
        await accounts.disable_access_key(unit, customer.keys.ak, disabled=not direction)
    assert token

    async def switch(unit: UnitOfWork) -> None:
        await accounts.suspend_account(unit, customer.account_id, suspended=direction)
        await accounts.disable_access_key(unit, customer.keys.ak, disabled=direction)
        if direction:
            await tokens.disable_token(unit, "robot")

    async def look(unit: UnitOfWork) -> list[Any]:
        return [
            await repository.account(unit.session, customer.account_id),
            await unit.session.get(AccessKeyRow, customer.keys.ak),
        ]

    await both(customer, mode, look, switch, switch)
    names = ("account.suspend", "key.disable", "token.disable") if direction else ("account.resume", "key.enable")
    assert [await events(customer.engine, name) for name in names] == [1] * len(names)
    async with work.read_session(customer.engine) as session:
        account, key = (
            await repository.account(session, customer.account_id),
            await session.get(AccessKeyRow, customer.keys.ak),
        )
    assert account is not None and key is not None
    assert ((account.suspended_at is not None), (key.disabled_at is not None)) == (direction, direction)


@pytest.mark.parametrize("what", ["account", "app", "token", "user"])
async def test_a_name_is_assigned_once(customer: CustomerData, what: str) -> None:
    async def make(unit: UnitOfWork) -> object:
        if what == "account":
            return await accounts.create_account(unit, "the same")
        if what == "app":
            return await accounts.create_app(unit, customer.vault, customer.account_id, "the_same")
        if what == "token":
            return await tokens.create_token(unit, "the same", ["usage:read"])
        return await users.create_user(unit, "the.same", "!")

    outcome = await overlapping(customer.engine, make, make, customer.clock)
    refusal = "has an app 'the_same' already" if what == "app" else "at the same time"  # apps wait for their account
    assert isinstance(outcome.second, Misuse) and refusal in str(outcome.second)


async def test_two_accounts_may_use_a_name_at_the_same_time(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        owners = [(await accounts.create_account(unit, name)).id for name in ("left", "right")]
    given = iter(owners)

    async def make(unit: UnitOfWork) -> NewApp:
        return await accounts.create_app(unit, customer.vault, next(given), "the_same")

    outcome = await overlapping(customer.engine, make, make, customer.clock)
    async with work.read_session(customer.engine) as session:
        made = await repository.live_apps_named(session, "the_same", None, 10)
    assert [(app.id, app.account_id, account) for app, account in made] == [
        (outcome.first.app_id, owners[0], "left"),
        (outcome.second.app_id, owners[1], "right"),
    ]


async def test_the_first_operator_is_made_once(engine: AsyncEngine) -> None:
    def make(login: str) -> Any:
        return lambda unit: users.create_first_operator(unit, login, "!")

    outcome = await overlapping(engine, make("owner"), make("intruder"))
    assert str(outcome.second) == "this installation has been set up already"
    async with work.read_session(engine) as session:
        assert [each.login for each in await user_queries.users(session)] == ["owner"]


async def two_operators(customer: CustomerData, passwords: Passwords) -> list[UserRow]:
    hashed = await passwords.hash("a quiet afternoon")
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        return [await users.create_user(unit, login, hashed) for login in ("chief", "deputy")]


@pytest.mark.parametrize("mode", MODES)
async def test_two_operators_cannot_disable_each_other_at_once(customer: CustomerData, mode: str) -> None:
    chief, deputy = await two_operators(customer, cheap_passwords())

    async def look(unit: UnitOfWork) -> list[UserRow]:
        return await user_queries.users(unit.session)

    outcome = await both(
        customer,
        mode,
        look,
        lambda unit: users.disable_user(unit, deputy.id),
        lambda unit: users.disable_user(unit, chief.id),
    )
    assert "last operator" in str(outcome.second)
    async with work.read_session(customer.engine) as session:
        enabled = [each.login for each in await user_queries.users(session) if each.disabled_at is None]
    assert enabled == ["chief"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_user_is_disabled_once(customer: CustomerData, mode: str) -> None:
    _, deputy = await two_operators(customer, cheap_passwords())

    async def disable(unit: UnitOfWork) -> None:
        await users.disable_user(unit, deputy.id)

    await both(customer, mode, lambda unit: user_queries.user(unit.session, deputy.id), disable, disable)
    assert await events(customer.engine, "user.disable") == 1


async def sessions(customer: CustomerData) -> int:
    async with work.read_session(customer.engine) as session:
        return await session.scalar(select(func.count()).select_from(SessionRow)) or 0


@pytest.mark.parametrize("stop", ["disable", "reset"])
@pytest.mark.parametrize("first", ["stop", "sign in"])
async def test_signing_in_against_being_disabled_or_reset(customer: CustomerData, stop: str, first: str) -> None:
    """The password was checked before both transactions; in either order no session remains afterwards."""
    passwords = cheap_passwords()
    _, deputy = await two_operators(customer, passwords)
    async with work.read_session(customer.engine) as session:
        proof = await users.password_proof(session, passwords, "deputy", "a quiet afternoon")
    assert proof is not None

    async def stopping(unit: UnitOfWork) -> None:
        if stop == "disable":
            await users.disable_user(unit, deputy.id)
        else:
            await users.reset_password(unit, deputy.id, "!")

    async def entering(unit: UnitOfWork) -> str | None:
        return await users.sign_in(unit, "deputy", proof, LIFETIME)

    acts = [stopping, entering] if first == "stop" else [entering, stopping]
    outcome = await overlapping(customer.engine, *acts, customer.clock)
    assert await sessions(customer) == 0
    assert outcome.second is None  # refused on admission, or the disabling that came second


async def test_a_new_password_against_a_reset(customer: CustomerData) -> None:
    """An operator resets a stolen password: a concurrent change with the stolen password has no effect."""
    passwords = cheap_passwords()
    _, deputy = await two_operators(customer, passwords)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        proof = await users.password_proof(unit.session, passwords, "deputy", "a quiet afternoon")
        token = await users.sign_in(unit, "deputy", proof, LIFETIME)
        assert token is not None
        signed_in = await users.session_of_token(unit, token, LIFETIME)
    assert signed_in is not None
    fresh = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("given by an operator")
    outcome = await overlapping(
        customer.engine,
        lambda unit: users.reset_password(unit, deputy.id, fresh),
        lambda unit: users.change_password(unit, signed_in, "stolen"),
        customer.clock,
    )
    async with work.read_session(customer.engine) as session:
        kept = await user_queries.user(session, deputy.id)
    assert kept is not None and (kept.password_hash, kept.must_change) == (fresh, True)
    assert "changed meanwhile" in str(outcome.second)


async def test_a_session_that_ends_meanwhile_is_not_touched(customer: CustomerData) -> None:
    passwords = cheap_passwords()
    _, deputy = await two_operators(customer, passwords)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        proof = await users.password_proof(unit.session, passwords, "deputy", "a quiet afternoon")
        token = await users.sign_in(unit, "deputy", proof, LIFETIME)
        assert token is not None
    customer.clock.advance(minutes=2)
    await overlapping(
        customer.engine,
        lambda unit: users.disable_user(unit, deputy.id),
        lambda unit: users.touch(unit, users.hash_token(token)),
        customer.clock,
    )
    assert await sessions(customer) == 0
