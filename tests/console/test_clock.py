"""While the clock is suspect, the console reports it and shows no pack state; sign-in still works."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository as account_queries
from inkgate.service.console import create_console
from inkgate.service.db import work
from inkgate.service.db.clock import CheckedClock
from inkgate.service.metering.models import REFUNDED, PackRow
from inkgate.service.orders import repository as orders
from inkgate.service.users import repository as user_queries
from tests.console.console_fixture import ConsoleFixture
from tests.console.test_pages import bought


class Wall:
    """The clock of this machine with an offset in seconds."""

    off = 0.0

    def __call__(self) -> float:
        return time.time() + self.off


@pytest.fixture
async def wall(console: ConsoleFixture) -> Wall:
    """The machine clock of a console that compares it with the database clock."""
    wall = Wall()
    await bought(console, general_100k=1)
    console.app = FastAPI()
    console.app.mount("/console", create_console(replace(console.parts, clock=CheckedClock(wall=wall))))
    return wall


@pytest.mark.parametrize("days", [40, -40])
async def test_pack_states_are_not_shown_by_a_wrong_clock(console: ConsoleFixture, wall: Wall, days: int) -> None:
    lin = await console.signed_in("lin")
    pages = ((lin, "/"), (lin, "/capabilities"), (lin, "/refunds"))
    for visitor, path in pages:
        await visitor.see(path)
    wall.off = days * 86_400
    for visitor, path in pages:
        answer = await visitor.get(path)
        assert (answer.status_code, "系统时间异常" in answer.text) == (503, True), path
    assert (await console.signed_in("chief")).cookies
    wall.off = 0.0
    for visitor, path in pages:
        await visitor.see(path)


@pytest.mark.parametrize("days", [40, -40])
async def test_an_operator_acts_on_an_account_while_the_clock_is_wrong(
    console: ConsoleFixture, wall: Wall, engine: AsyncEngine, days: int
) -> None:
    page = f"/operator/accounts/{console.account_id}"
    chief = await console.signed_in("chief")
    right = await chief.see(page)
    assert "有效</span>" in right and "未知" not in right
    wall.off = days * 86_400
    wrong = await chief.see(page)
    assert "系统时间异常" in wrong and "未知</span>" in wrong and "有效</span>" not in wrong
    async with work.read_session(engine) as session:
        (user,) = await user_queries.users(session, console.account_id)
    reset = await chief.submitted(f"{page}/users/{user.id}/reset", page=page)
    assert "lin" in reset.text
    assert (await chief.submit(f"{page}/suspend", page=page)).status_code == 303
    async with work.read_session(engine) as session:
        account = await account_queries.account(session, console.account_id)
        assert account is not None and account.suspended_at is not None
    granted = await chief.submit(f"{page}/packs", page=page, capability="general", units="1000")
    assert (granted.status_code, "系统时间异常" in granted.text) == (503, True)
    assert (await chief.submit(f"{page}/suspend", page=page, resume="1")).status_code == 303
    wall.off = 0.0
    assert await chief.see(page) and "系统时间异常" not in await chief.see(page)


async def test_used_up_and_refunded_packs_do_not_depend_on_the_clock(
    console: ConsoleFixture, wall: Wall, engine: AsyncEngine
) -> None:
    page = f"/operator/accounts/{console.account_id}"
    chief = await console.signed_in("chief")
    wall.off = 40 * 86_400
    used_up = {"used": PackRow.total, "exhausted_at": PackRow.starts_at}
    refunded = {"state": REFUNDED, "used": 0, "exhausted_at": None}
    for values, state in ((used_up, "已用完"), (refunded, "已退订")):
        async with work.unit_of_work(engine, "test") as unit:
            await unit.session.execute(update(PackRow).values(**values))
        text = await chief.see(page)
        assert f"{state}</span>" in text and "未知</span>" not in text


async def test_nothing_is_bought_by_a_wrong_clock(console: ConsoleFixture, wall: Wall, engine: AsyncEngine) -> None:
    lin = await console.signed_in("lin")
    fields = {"general-100k": "1", "agreed": "1"}
    wall.off = 40 * 86_400
    answer = await lin.submit("/buy/general/order", page="/buy/general", **fields)
    assert (answer.status_code, "系统时间异常" in answer.text) == (503, True)
    async with work.read_session(engine) as session:
        assert len(await orders.orders(session)) == 1
    wall.off = 0.0
    assert (await lin.submit("/buy/general/order", page="/buy/general", **fields)).status_code == 303
