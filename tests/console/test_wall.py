"""The status screen: the day by hour, worker hosts, and alerts without names; and the figures of an account."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.console.pages import operator_accounts, wall
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.service import grant_pack
from inkgate.service.notices.models import ConditionRow
from tests.console.console_fixture import NOW, ConsoleFixture
from tests.console.test_live import BUSY, Watched, at_the_wall, console_with
from tests.console.test_pages import call, traffic


async def screen(console: ConsoleFixture) -> wall.StatusScreen:
    async with work.read_session(console.engine) as session:
        return await wall.status_screen_view(UnitOfWork(session, "test", console.clock), Watched(BUSY))


async def hold(console: ConsoleFixture, *conditions: tuple[str, str | None]) -> None:
    """Write conditions that hold: kind and account."""
    async with console.begin() as unit:
        for index, (kind, account_id) in enumerate(conditions):
            row = {"key": f"{kind}:{index}", "kind": kind, "account_id": account_id, "params": {"account": "青禾"}}
            await unit.session.execute(
                insert(ConditionRow).values(began_at=NOW - timedelta(hours=index + 1), ended_at=None, **row)
            )


async def test_the_time_line_has_each_hour_of_a_day_with_its_failures(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    console.clock.advance(hours=-3)
    await traffic(console, *(call(console, "licence", units=1, images=1) for _ in range(4)))
    console.clock.advance(hours=3)
    await traffic(console, call(console, "licence", code=400018, units=1, images=0, duration_ms=80))
    seen = await screen(console)
    assert [(index, each.calls, each.failed) for index, each in enumerate(seen.hours) if each.calls] == [
        (wall.HOURS - 4, 4, 0),
        (wall.HOURS - 1, 1, 1),
    ]
    assert (seen.hours[-4].height, seen.hours[-1].height, seen.hours[-1].failed_height) == (100.0, 25.0, 25.0)
    assert (seen.calls, seen.failed, seen.mean_ms) == (1, 1, 80), "the figures are those of this hour"


async def test_alerts_have_kind_and_number_and_no_name(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    assert (await screen(console)).alerts == []
    await hold(console, ("low_balance", console.account_id), ("low_balance", console.other_id), ("order_waiting", None))
    seen = await screen(console)
    assert [(each.kind, each.count, each.urgent) for each in seen.alerts] == [
        ("order_waiting", 1, False),
        ("low_balance", 2, False),
    ]
    assert seen.alerts[1].since == NOW - timedelta(hours=2), "since the first of them holds"
    assert not seen.has_urgent_alert
    visitor = await at_the_wall(console)
    page = await visitor.see("/wall")
    assert "运行正常" in page and "余量不足" in page and "2 项" in page and "青禾" not in page
    await hold(console, ("ledger_failed", None))
    page = await visitor.see("/wall")
    assert "有告警" in page and "运行正常" not in page and page.index("账本核对不符") < page.index("余量不足")


async def test_hosts_are_shown_with_their_processes(engine: AsyncEngine) -> None:
    console = await console_with(engine, Watched(BUSY))
    assert [(host, len(records)) for host, records in (await screen(console)).hosts] == [("ocr-1", 2)]
    page = await (await at_the_wall(console)).see("/wall")
    assert page.count('<i class="ready"><span') == 1 and page.count('<i class="starting"><span') == 1


async def test_the_page_of_an_account_has_its_balance_packs_users_and_last_call(console: ConsoleFixture) -> None:
    async with console.begin() as unit:
        await grant_pack(unit, console.account_id, "general", 1000)
        await grant_pack(unit, console.account_id, "plate", 500)
    console.clock.advance(seconds=1)
    await traffic(console, call(console))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        seen = await operator_accounts.detail(unit, console.account_id, 10.0, operator_accounts.Numbers())
    assert (seen.left, seen.total, seen.valid_packs, seen.counts.users) == (1498, 1500, 2, 1)
    assert seen.last_call is None, "no key was used: the traffic went to the ledger alone"
    page = await (await console.signed_in("chief")).see(f"/operator/accounts/{console.account_id}")
    assert '1,498 <small class="line">/ 1,500' in page and "从未调用" in page
