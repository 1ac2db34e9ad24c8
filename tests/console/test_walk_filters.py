"""Filters in a browser, after test_walk.py: by keyboard, in place, without JavaScript, without a session."""

from __future__ import annotations

import re

import pytest

from inkgate.service.console.translations import Translator
from tests.console.test_words import ROOT
from tests.console.walkthrough import CUSTOMER, OPERATOR, Walkthrough

pytestmark = pytest.mark.browser

FILTERED = (
    (CUSTOMER, "/"),
    (CUSTOMER, "/monitor"),
    (CUSTOMER, "/bills"),
    (OPERATOR, "/operator/ledger"),
    (OPERATOR, "/operator/takeover"),
)
"""Pages with a list that filters as soon as it changes."""


def test_every_list_that_filters_has_a_button_without_javascript() -> None:
    found = 0
    for template in ROOT.glob("templates/*.html"):
        for form in re.findall(r"<form\b.*?</form>", template.read_text("utf-8"), re.S):
            if "data-sends" in form:
                found += 1
                assert re.search(r"<button(?![^>]*\btype=\"button\")", form), template.name
    assert found >= 6


@pytest.mark.parametrize(("who", "path"), FILTERED, ids=[path for _, path in FILTERED])
def test_every_option_is_reached_by_keyboard_and_the_focus_stays(
    walk: Walkthrough, who: tuple[str, str], path: str
) -> None:
    from playwright.sync_api import expect

    person = walk.person(who)
    page = person.go(path)
    page.evaluate("window.here = true")  # gone after a reload
    names = page.locator("select[data-sends]").evaluate_all("all => all.map((each) => each.id)")
    assert names
    for name in names:
        page.focus(f"#{name}")
        page.keyboard.press("Home")
        options = page.locator(f"#{name} option").evaluate_all("all => all.map((each) => each.value)")
        for value in options[1:4]:
            page.keyboard.press("ArrowDown")
            expect(page.locator("#content[aria-busy]")).to_have_count(0)
            expect(page.locator(f"#{name}")).to_be_focused()
            expect(page.locator(f"#{name}")).to_have_value(value)
            assert f"{name}={value}" in page.url
        page.keyboard.press("Home")  # several at once: the last one counts
        for _ in options[1:]:
            page.keyboard.press("ArrowDown")
        expect(page.locator(f"#{name}")).to_have_value(options[-1])
        if len(options) > 1:
            page.wait_for_url(re.compile(f"{name}={re.escape(options[-1])}"))
        expect(page.locator("#content[aria-busy]")).to_have_count(0)
    assert page.evaluate("window.here")
    person.leave()


def test_an_update_in_place_shows_charts_and_goes_back_and_forward(walk: Walkthrough) -> None:
    from playwright.sync_api import expect

    lin = walk.person(CUSTOMER)
    page = lin.go("/monitor?days=1")
    before = page.locator("[data-chart] canvas").count()
    title, text = page.title(), page.inner_text("main")
    assert before > 1 and "共 " in text
    page.select_option("#capability", "plate")
    page.wait_for_url("**/monitor?days=1&capability=plate")
    expect(page.locator("[data-chart] canvas")).to_have_count(before)
    changed = page.inner_text("main")
    assert changed != text and page.title() == title
    assert page.inner_text("#update-said") == "内容已更新"
    assert "capability=plate" in (page.get_attribute("a[href*='monitor.csv']", "href") or "")
    page.go_back()
    page.wait_for_url("**/monitor?days=1")
    expect(page.locator("#capability")).to_have_value("")
    expect(page.locator("#content[aria-busy]")).to_have_count(0)
    assert page.inner_text("main") == text
    page.go_forward()
    expect(page.locator("#capability")).to_have_value("plate")
    page.reload()
    expect(page.locator("#capability")).to_have_value("plate")
    lin.leave()


def test_a_search_keeps_the_caret_and_labels_its_table(walk: Walkthrough) -> None:
    from playwright.sync_api import expect

    chief = walk.person(OPERATOR)
    page = chief.go("/operator/audit")
    page.focus("#q")
    page.keyboard.type("lin")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit?q=lin")
    expect(page.locator("#content[aria-busy]")).to_have_count(0)
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("x")
    assert page.input_value("#q") == "lixn"
    assert page.get_attribute("table.stack tbody td >> nth=0", "data-label")
    page.fill("#q", "no such thing")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=没有符合条件的记录")
    chief.leave()


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_filters_work_without_javascript(walk: Walkthrough, language: str) -> None:
    context = walk.browser.new_context(java_script_enabled=False, locale=language)
    _ = Translator("en" if language == "en-US" else "zh")
    page = context.new_page()
    page.goto(f"{walk.base}/console/login")
    page.fill("#login", CUSTOMER[0])
    page.fill("#password", CUSTOMER[1])
    page.click("form.form button")
    for path, name, value in (("/monitor", "days", "90"), ("/", "capability", "plate")):
        page.goto(f"{walk.base}/console{path}")
        page.select_option(f"#{name}", value)
        page.click(f"form:has(#{name}) button:has-text('{_('筛选')}')")
        page.wait_for_url(f"**{path}?*{name}={value}*")
        assert page.input_value(f"#{name}") == value
    context.close()


def test_an_update_without_a_session_says_so_and_leads_back(walk: Walkthrough) -> None:
    lin = walk.person(CUSTOMER)
    page = lin.go("/monitor")
    lin.context.clear_cookies()
    page.select_option("#days", "30")
    page.wait_for_selector("#content > .update-problem:has-text('登录已过期')")
    assert page.url.endswith("/monitor") and page.locator("h1:has-text('应用监控')").is_visible()
    page.keyboard.press("Enter")  # the link has the focus
    page.fill("#login", CUSTOMER[0])
    page.fill("#password", CUSTOMER[1])
    page.click("form.form button")
    page.wait_for_url("**/monitor?days=30")
    for path, field, word in (("/apps", "#q", "门户"), ("/reference", "#q", "51002")):  # fragments of htmx
        page = lin.go(path)
        state = lin.context.cookies()
        lin.context.clear_cookies()
        page.type(field, word)
        page.wait_for_selector(".update-problem:has-text('登录已过期')")
        assert page.input_value(field) == word
        lin.context.add_cookies(state)
    lin.leave()


def test_a_page_that_refreshes_itself_stops_and_says_so(walk: Walkthrough) -> None:
    chief = walk.person(OPERATOR)
    page = chief.go("/operator/workers")
    chief.context.clear_cookies()
    page.wait_for_selector(".update-problem:has-text('登录已过期')")
    assert page.url.endswith("/operator/workers") and page.locator("#live table").is_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(4500)  # two periods
    assert asked == []
    chief.leave()


def test_an_update_that_fails_can_be_tried_again(walk: Walkthrough) -> None:
    lin = walk.person(CUSTOMER)
    page = lin.go("/monitor")
    page.route("**/monitor?*", lambda route: route.abort())
    page.select_option("#days", "30")
    page.wait_for_selector(".update-problem:has-text('没有更新成功')")
    page.unroute("**/monitor?*")
    page.click(".update-problem button:has-text('重试')")
    page.wait_for_url("**/monitor?days=30")
    assert page.locator(".update-problem").count() == 0
    lin.console_errors = [each for each in lin.console_errors if "ERR_FAILED" not in each]
    lin.leave()


def test_the_first_visit_is_in_the_language_of_the_browser(walk: Walkthrough) -> None:
    for language, said in (("en-US", "Sign in"), ("zh-TW", "登录"), ("de-DE", "登录")):
        context = walk.browser.new_context(locale=language)
        page = context.new_page()
        page.goto(f"{walk.base}/console/login")
        assert said in page.inner_text("main"), language
        if language == "en-US":
            page.click("text=中文")
            page.wait_for_selector("text=登录控制台")
            page.reload()
            assert "登录控制台" in page.inner_text("main")  # the choice outweighs the browser
        context.close()
