"""Key figures, sparklines, top lists and weekly tables, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.console import charts, indicators
from inkgate.service.console.indicators import Bar, Change
from inkgate.service.console.pages import overview
from inkgate.service.console.scope import Period, span_of
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage.repository import UsageTotals
from tests.console.console_fixture import NOW, ConsoleFixture
from tests.console.test_pages import ZH, bought, call, scope, traffic


def test_a_change_is_relative_and_says_which_direction_is_bad() -> None:
    assert indicators.change(110, 100) == Change("10.0%", rises=True)
    assert indicators.change(90.0, 100.0, less_is_better=True) == Change("10.0%", rises=False, is_bad=False)
    assert indicators.change(150, 100, less_is_better=True) == Change("50.0%", rises=True, is_bad=True)
    assert indicators.change(100.01, 100, less_is_better=True) == Change("0.0%"), "nothing to see"
    assert indicators.change(5, 0) == indicators.change(None, 3) == indicators.change(3, None) == Change()
    assert indicators.point_change(0.02, 0.01, "pt") == Change("1.00 pt", rises=True, is_bad=True)
    assert indicators.point_change(0.01, 0.01, "pt") == Change("0.00 pt")
    assert indicators.point_change(None, 0.01, "pt") == Change()


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_the_period_before_ends_at_the_same_time_of_the_day(days: int) -> None:
    span = span_of(str(days), NOW)
    before = indicators.period_before(span, NOW)
    assert before.since == span.since - timedelta(days=days)
    assert abs(before.until + timedelta(days=days) - NOW) <= timedelta(minutes=30)
    first_minute = span.since + timedelta(minutes=1)  # a period is never empty
    early = Period(1, span.since, span.since + timedelta(hours=1))
    assert indicators.period_before(early, first_minute).until > indicators.period_before(early, first_minute).since


def test_a_sparkline_fits_its_box_and_keeps_the_last_value_over_a_gap() -> None:
    points = [tuple(map(float, each.split(","))) for each in indicators.sparkline([0, 4, None, 8]).split()]
    assert [x for x, _ in points] == [0.0, 40.0, 80.0, 120.0]
    assert points[0][1] == 27.0 and points[1][1] == points[2][1] == 14.0 and points[3][1] == 1.0
    assert indicators.sparkline([1]) == indicators.sparkline([0, 0]) == indicators.sparkline([None, None]) == ""


def test_a_top_list_sums_the_rest() -> None:
    rows = indicators.bars(
        [(name, value) for name, value in zip("abcdefg", (1, 2, 3, 4, 5, 85, 0), strict=True)], "其他"
    )
    assert [(each.name, each.value) for each in rows] == [
        ("f", 85),
        ("e", 5),
        ("d", 4),
        ("c", 3),
        ("b", 2),
        ("其他", 1),
    ]
    assert rows[0] == Bar("f", 85, 0.85, 100.0) and sum(each.share for each in rows) == pytest.approx(1)
    assert indicators.bars([], "其他") == [] == indicators.bars([("a", 0)], "其他")


@pytest.mark.parametrize(
    ("used", "total", "state"), [(0, 0, ""), (80, 100, ""), (81, 100, "warn"), (99, 100, "warn"), (100, 100, "full")]
)
def test_a_usage_bar_warns_above_eighty_percent(used: int, total: int, state: str) -> None:
    assert indicators.usage_state(used, total) == state


def test_weeks_begin_on_monday_and_lose_no_call() -> None:
    days = [(datetime(2026, 3, day, tzinfo=UTC), UsageTotals((), calls=day)) for day in range(20, 0, -1)]
    weeks = charts.by_week(days)
    assert [week.day for week, _ in weeks] == [16, 9, 2, 23]  # the first of March was a Sunday
    assert all(week.weekday() == 0 for week, _ in weeks)
    assert sum(row.calls for _, row in weeks) == sum(range(1, 21))


async def test_the_overview_compares_with_the_period_before(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine)
    console.clock.advance(hours=-24 * 8)
    await bought(console, general_100k=1)
    await traffic(console, call(console, duration_ms=100), call(console, duration_ms=100))
    console.clock.advance(hours=24 * 8)
    await traffic(console, call(console, duration_ms=50), *(call(console, code=400018, duration_ms=50) for _ in "ab"))
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        seen = await overview.view(unit, await scope(unit, console.account_id), ZH, "7")
    assert seen.trends.requests == Change("50.0%", rises=True)
    assert seen.trends.mean_ms == Change("50.0%", rises=False, is_bad=False)
    assert seen.trends.errors == Change("66.67 个百分点", rises=True, is_bad=True)
    assert len(seen.trends.lines["requests"].split()) == 7
    page = await (await console.signed_in("lin")).see("/?days=7")
    assert "较前 7 天" in page and "66.67%" in page and page.count('class="spark"') == 4
    assert page.count("没有可比的数据") == 0


async def test_before_the_first_call_there_are_steps_and_no_figures(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    page = await lin.see("/")
    assert "快速入门" in page and "还没有调用" in page and 'class="card figure kpi' not in page
    await traffic(console, call(console, "licence", units=1, images=1))
    page = await lin.see("/")
    assert "快速入门" not in page and page.count("没有可比的数据") == 4, "the first call has no period before"
