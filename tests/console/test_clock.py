"""While the time cannot be right the console says so instead of judging packs by it; signing in goes on."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from service.console import create_console
from service.db import work
from service.db.clock import CheckedClock
from service.orders import repository as orders
from tests.console.house import ConsoleHouse
from tests.console.test_pages import bought


class Wall:
    """This machine's clock, which a test sets."""

    off = 0.0

    def __call__(self) -> float:
        return time.time() + self.off


@pytest.fixture
async def wall(console: ConsoleHouse) -> Wall:
    """The clock of a console that is served by the time of its database."""
    wall = Wall()
    await bought(console, general_100k=1)
    console.app = FastAPI()
    console.app.mount("/console", create_console(replace(console.parts, clock=CheckedClock(wall=wall))))
    return wall


@pytest.mark.parametrize("days", [40, -40])
async def test_packs_are_not_judged_by_a_wrong_clock(console: ConsoleHouse, wall: Wall, days: int) -> None:
    lin, chief = await console.signed_in("lin"), await console.signed_in("chief")
    pages = ((lin, "/"), (lin, "/capabilities"), (lin, "/refunds"), (chief, f"/operator/accounts/{console.account_id}"))
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


async def test_nothing_is_bought_by_a_wrong_clock(console: ConsoleHouse, wall: Wall, engine: AsyncEngine) -> None:
    lin = await console.signed_in("lin")
    fields = {"general-100k": "1", "agreed": "1"}
    wall.off = 40 * 86_400
    answer = await lin.submit("/buy/general/order", page="/buy/general", **fields)
    assert (answer.status_code, "系统时间异常" in answer.text) == (503, True)
    async with work.reading(engine) as session:
        assert len(await orders.orders(session)) == 1
    wall.off = 0.0
    assert (await lin.submit("/buy/general/order", page="/buy/general", **fields)).status_code == 303
