"""The command palette: what a user may open, and nothing of others."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.audit.models import EventRow
from inkgate.service.console.pages.palette import MAX_FOUND
from inkgate.service.db import work
from inkgate.service.orders.service import place_order
from inkgate.service.permissions import Role
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture


async def found(visitor: BrowserClient, text: str) -> dict[str, str]:
    """Path → text of the results."""
    answer = await visitor.get("/palette", params={"q": text})
    assert answer.status_code == 200
    return {
        path.removeprefix("/console"): name
        for path, name in re.findall(r'<a role="option"[^>]* href="([^"]+)".*?<span>(.*?)</span>', answer.text, re.S)
    }


@pytest.fixture
async def number(console: ConsoleFixture) -> str:
    """The number of an order of lin's account."""
    async with console.begin() as unit:
        return (await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")).number


async def test_a_customer_finds_pages_apps_and_orders(console: ConsoleFixture, number: str) -> None:
    lin = await console.signed_in("lin")
    assert await found(lin, "账单") == {"/bills": "账单"}
    assert await found(lin, "PORTAL") in ({f"/apps/{console.app_id}": "portal_app"}, {})  # as the database compares
    assert await found(lin, "portal") == {f"/apps/{console.app_id}": "portal_app"}
    assert await found(lin, number[-6:]) == {f"/orders/{number}": number}
    every = await found(lin, "")
    assert "/" in every and "/monitor" in every and not any(path.startswith("/operator") for path in every)
    assert "没有找到" in await lin.see("/palette?q=%25_nothing")


async def test_pages_are_found_by_name_before_path(console: ConsoleFixture) -> None:
    chief = await console.signed_in("chief")
    assert "/operator/audit" not in await found(chief, "operator")
    assert list(await found(chief, "账")) == ["/operator/accounts", "/operator/balances", "/operator/ledger"]
    assert await found(chief, "audit") == {"/operator/audit": "操作审计"}
    chief.cookies.set("inkgate_language", "en")
    assert list(await found(chief, "a"))[:4] == [
        "/operator/accounts", "/operator/balances", "/operator/audit", "/reference",
    ]  # fmt: skip


async def test_no_user_finds_what_belongs_to_others(console: ConsoleFixture, number: str) -> None:
    east = await console.signed_in("east")
    for text in ("portal", number, "青禾", "operator", "%", "_"):
        assert not [path for path in await found(east, text) if path not in ("/try", "/")], text


async def test_a_role_finds_only_what_it_may_open(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine)
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        order = await place_order(unit, console.account_id, {"general-100k": 1}, approval="operator")
        await users.create_user(unit, "money", hashed, account_id=console.account_id, role=Role.FINANCE)
        await users.create_user(unit, "maker", hashed, account_id=console.account_id, role=Role.DEVELOPER)
    money, maker = await console.signed_in("money"), await console.signed_in("maker")
    assert f"/orders/{order.number}" in await found(money, order.number) and await found(money, "portal") == {}
    assert await found(maker, order.number) == {} and await found(maker, "portal")


async def test_an_operator_finds_accounts_by_name_app_and_order_and_the_look_is_recorded(
    console: ConsoleFixture, number: str
) -> None:
    chief = await console.signed_in("chief")
    target = f"/operator/accounts/{console.account_id}"
    for text in ("青禾", "portal", number):
        assert target in await found(chief, text), text
    assert "/operator/workers" in await found(chief, "识别")
    async with work.read_session(console.engine) as session:
        looks = list(await session.scalars(select(EventRow).where(EventRow.subject == "page palette")))
    assert len(looks) == 1 and looks[0].action == "operator.view"


async def test_results_and_characters_are_bounded(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        for index in range(MAX_FOUND + 3):
            await accounts.create_app(unit, console.parts.vault, console.account_id, f"many_apps_{index}")
    lin = await console.signed_in("lin")
    assert len(await found(lin, "many_apps")) == MAX_FOUND
    assert len(await lin.see(f"/palette?q={'x' * 5000}")) < 2000
    assert (await console.visitor().get("/palette")).status_code == 303
