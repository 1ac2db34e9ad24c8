"""Layout of every page after test_walk.py: at both widths, light and dark, with data and empty."""

from __future__ import annotations

import os

import pytest

from tests.console.walkthrough import CUSTOMER, OPERATOR, OTHER, Walkthrough, keep

pytestmark = pytest.mark.browser

SHOWN = (
    (CUSTOMER, "/", "overview", ""),
    (CUSTOMER, "/", "callers", ".map"),
    (CUSTOMER, "/monitor?days=1", "monitor", ""),
    (CUSTOMER, "/capabilities/general", "usage", ""),
    (CUSTOMER, "/buy/general?renew=100000", "buy", ""),
    (CUSTOMER, "/refunds", "refunds", ""),
    (CUSTOMER, "/bills", "bills", ""),
    (CUSTOMER, "/reference/general", "guide", ""),
    (OPERATOR, "/operator/ledger", "ledger", ""),
    (OPERATOR, "/operator/workers", "workers", ""),
    (OPERATOR, "/operator/audit", "audit", ""),
)
"""Screenshots for docs/howto/console.md: user, path, file name, element to scroll to."""


@pytest.fixture(scope="module")
def paths(walk: Walkthrough) -> list[str]:
    """Every page; detail pages with the first object of the walk."""
    from tests.console.browser import WALL_KEY
    from tests.console.page_checks import pages

    lin, chief = walk.person(CUSTOMER), walk.person(OPERATOR)

    def first(person, path: str, link: str) -> str:  # type: ignore[no-untyped-def]
        found = person.go(path).get_attribute(link, "href")
        return str(found).rsplit("/", 1)[1]

    examples = {
        "app_id": first(lin, "/apps", "tbody a"),
        "number": first(lin, "/orders", "tbody a"),
        "capability": "general",
        "name": "general",
        "key": WALL_KEY,
        "account_id": first(chief, "/operator/accounts", "tbody a"),
    }
    lin.leave()
    chief.leave()
    return pages(examples)


@pytest.mark.parametrize("who", [CUSTOMER, OPERATOR, None], ids=["customer", "operator", "anybody"])
def test_every_page_with_data_fits_and_axe_finds_nothing_serious(
    walk: Walkthrough, paths: list[str], who: tuple[str, str] | None
) -> None:
    from tests.console.page_checks import page_problems, shown_to

    person = walk.person(who)
    seen = shown_to(person, paths)
    assert len(seen) > (0 if who is None else 5)
    assert [each for path in seen for each in page_problems(person, path)] == []
    person.leave()


def test_every_empty_page_fits_and_axe_finds_nothing_serious(walk: Walkthrough, paths: list[str]) -> None:
    from tests.console.page_checks import page_problems, shown_to

    east = walk.person(OTHER)
    assert [each for path in shown_to(east, paths) for each in page_problems(east, path, thorough=False)] == []
    east.leave()


def test_english_pages_fit_as_well_and_a_further_visit_costs_little(walk: Walkthrough, paths: list[str]) -> None:
    from tests.console.page_checks import shown_to, warm_page_problems

    for who in (CUSTOMER, OPERATOR):
        person = walk.person(who)
        person.speak("en")
        assert [each for path in shown_to(person, paths) for each in warm_page_problems(person, path)] == []
        person.leave()


def test_no_page_is_left_out(walk: Walkthrough, paths: list[str]) -> None:
    """Each page is shown to a user, except the set-up, which is 404 after the first run and is checked there."""
    from tests.console.page_checks import shown_to

    seen: set[str] = set()
    for who in (CUSTOMER, OPERATOR, None):
        person = walk.person(who)
        seen |= set(shown_to(person, paths))
        person.leave()
    assert set(paths) - seen == {"/setup"}


def test_tabs_fade_where_more_of_them_is_and_show_the_current_one(walk: Walkthrough) -> None:
    from playwright.sync_api import expect

    lin = walk.person(CUSTOMER)
    lin.page.set_viewport_size({"width": 375, "height": 812})
    tabs = lin.go("/try?capability=licence").locator(".tabs").first
    expect(tabs).to_have_class("tabs more-left")
    expect(tabs.locator("[aria-current]")).to_be_in_viewport(ratio=0.95)
    lin.page.set_viewport_size({"width": 1440, "height": 900})
    expect(tabs).to_have_class("tabs")
    lin.leave()


def test_a_short_page_does_not_scroll(walk: Walkthrough) -> None:
    lin = walk.person(CUSTOMER)
    page = lin.go("/password")
    assert page.evaluate("document.documentElement.scrollHeight === innerHeight")
    lin.leave()


@pytest.mark.skipif(not os.environ.get("CONSOLE_SHOTS"), reason="make console-shots takes the screenshots")
def test_screenshots_for_the_documentation(demo: Walkthrough) -> None:
    from tests.console.browser import WALL_KEY
    from tests.console.page_checks import NARROW

    for who, path, name, part in SHOWN:
        person = demo.person(who)
        page = person.go(path)
        if part:
            page.locator(part).scroll_into_view_if_needed()
        keep(page, name)
        person.leave()
    screen, phone = demo.person(), demo.person(CUSTOMER)
    screen.page.emulate_media(color_scheme="dark")
    screen.go(f"/wall#{WALL_KEY}").wait_for_selector("main.wall")
    keep(screen.page, "wall")
    phone.page.set_viewport_size(NARROW)
    phone.page.emulate_media(color_scheme="dark")
    keep(phone.go("/"), "overview-phone")
    screen.leave()
    phone.leave()
