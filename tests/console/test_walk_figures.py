"""Charts, key figures, usage bars, palette, toasts and the status screen, in a browser over half a year of traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.console.console_fixture import PASSWORD
from tests.console.test_live import KEY
from tests.console.walkthrough import Walkthrough

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
LABELS = Path(__file__).with_name("chart_labels.js").read_text("utf-8")
LIN, CHIEF = ("lin", PASSWORD), ("chief", PASSWORD)
MAX_PHONE_PIXELS = 6_000  # height of a page on a phone
MAX_HEADER_PIXELS = 60  # one row
RED_OF_DANGER, AMBER = "rgb(176, 42, 35)", "rgb(217, 138, 0)"


@pytest.fixture(scope="module")
def busy(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A console with traffic, and a browser."""
    from tests.console.busy_console import busy_console

    file = tmp_path_factory.mktemp("busy") / "inkgate.db"
    with busy_console(f"sqlite+aiosqlite:///{file}") as base:
        yield Walkthrough(base, browser)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_labels_of_charts_are_neither_cut_nor_one_over_another(busy: Walkthrough, language: str) -> None:
    lin = busy.person(LIN)
    lin.speak(language)
    found = []
    for width in (375, 1440, 1920):
        lin.page.set_viewport_size({"width": width, "height": 900})
        for path in ("/", "/monitor"):
            for days in (1, 7, 30, 90):
                page = lin.go(f"{path}?days={days}")
                page.wait_for_load_state("networkidle")
                found += [f"{path} {days} days at {width}: {each}" for each in page.evaluate(LABELS)]
    assert found == []
    lin.leave()


@pytest.mark.parametrize("path", ["/?days=90", "/monitor?days=90", "/monitor?days=30"])
def test_a_page_of_many_days_is_short_on_a_phone_and_its_header_has_one_row(busy: Walkthrough, path: str) -> None:
    lin = busy.person(LIN, width=375)
    page = lin.go(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollHeight") < MAX_PHONE_PIXELS
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    tops = [page.locator(each).bounding_box() for each in (".bar-top", ".top")]
    assert all(box is not None and box["y"] == 0 and box["height"] < MAX_HEADER_PIXELS for box in tops), tops
    lin.leave()


def test_usage_bars_are_amber_above_eighty_percent_and_red_when_full(busy: Walkthrough) -> None:
    lin = busy.person(LIN)
    page = lin.go("/")
    bars = page.locator(".balances progress")
    colours = bars.evaluate_all("all => all.map(each => getComputedStyle(each).color)")
    assert len(colours) == 3 and colours[1:] == [AMBER, RED_OF_DANGER] and colours[0] not in colours[1:]
    lin.leave()


def test_the_unfinished_step_is_hatched_and_a_tooltip_has_the_total(busy: Walkthrough) -> None:
    lin = busy.person(LIN)
    page = lin.go("/?days=7")
    page.wait_for_load_state("networkidle")
    hatched = page.evaluate(
        """() => echarts.getInstanceByDom(document.querySelector("[data-chart]")).getOption().series.map(
             each => each.data.map(point => Boolean(point?.itemStyle?.decal)))"""
    )
    assert hatched and all(row == [False] * 6 + [True] for row in hatched)
    said = page.evaluate(
        """() => {
             const place = document.querySelector("[data-chart]"), chart = echarts.getInstanceByDom(place);
             chart.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 6 });
             chart.getZr().flush();
             return chart.getZr().storage.getDisplayList(true).map(each => each.style?.text ?? "").join(" ");
           }"""
    )
    wanted = page.evaluate(
        """() => JSON.parse(document.querySelector("[data-chart]").dataset.chart).series.reduce(
             (sum, each) => sum + each.data[6], 0)"""
    )
    assert f"合计 {wanted:,} 次" in said and "(未结束)" in said
    lin.leave()


def test_a_chart_gives_way_to_its_table(busy: Walkthrough) -> None:
    lin = busy.person(LIN)
    page = lin.go("/monitor?days=30")
    tabs = page.locator(".two-faced [role=tab]")
    assert page.locator(".numbers table").first.is_hidden()
    tabs.nth(1).click()
    assert page.locator(".numbers table").first.is_visible() and page.locator(".chart").first.is_hidden()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".chart").first.is_visible()
    page.click("#tab-codes")
    assert "400009" in page.inner_text("#codes") and page.locator("#steps").is_hidden()
    lin.leave()


def test_the_palette_is_opened_searched_and_left_with_the_keyboard(busy: Walkthrough) -> None:
    from playwright.sync_api import expect

    from tests.console.page_checks import axe

    lin = busy.person(LIN)
    page = lin.go("/")
    page.keyboard.press("Control+k")
    field, options = page.locator("#palette-search"), page.locator("#palette [role=option]")
    expect(field).to_be_focused()
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.type("mobile")
    expect(options).to_have_count(1)
    expect(field).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    assert list(axe(page)) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/apps/*")
    assert page.inner_text("h1") == "mobile_app"
    page.keyboard.press("Meta+k")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.click("[data-palette]")
    expect(field).to_be_focused()
    lin.leave()


def test_a_result_is_shown_once_and_can_be_closed(busy: Walkthrough) -> None:
    from playwright.sync_api import expect

    lin = busy.person(LIN)
    page = lin.go("/apps?page=1&done=app-deleted")
    expect(page.locator(".toast")).to_contain_text("应用已删除")
    page.click(".toast button")
    expect(page.locator(".toast")).to_have_count(0)
    expect(page).to_have_url(f"{busy.base}/console/apps?page=1")
    page.reload()
    assert page.locator(".toast").count() == 0
    lin.leave()


def test_the_wall_shows_a_day_the_fleet_and_no_alert(busy: Walkthrough) -> None:
    from tests.console.page_checks import shown_problems

    screen = busy.person()
    page = screen.go(f"/wall#{KEY}")
    page.wait_for_selector("main.wall")
    assert page.locator(".hours li").count() == 24 and page.locator(".slots i").count() == 2
    assert "没有告警" in page.inner_text("main") and "ocr-1" in page.inner_text(".fleet")
    assert list(shown_problems(page)) == []
    screen.leave()


@pytest.mark.parametrize(
    ("who", "path"),
    [(LIN, "/"), (LIN, "/monitor?days=90"), (CHIEF, "/operator/workers"), (CHIEF, "/operator/accounts")],
)
def test_busy_pages_fit_and_axe_finds_nothing_serious(busy: Walkthrough, who: tuple[str, str], path: str) -> None:
    from tests.console.page_checks import page_problems, warm_page_problems

    person = busy.person(who)
    assert [*page_problems(person, path), *warm_page_problems(person, path)] == []
    person.speak("en")
    assert list(warm_page_problems(person, path)) == []
    person.leave()
