"""How every page looks after the walk of test_walk.py: at both widths, light and dark, with data and empty."""

from __future__ import annotations

import pytest

from tests.console.walking import CUSTOMER, OPERATOR, OTHER, Walk, keep

pytestmark = pytest.mark.browser

SHOWN = {("/", 1440): "overview", ("/monitor", 1440): "monitor", ("/", 375): "overview-phone"}


@pytest.fixture(scope="module")
def paths(walk: Walk) -> list[str]:
    """Every page; those of a single thing with the first one that the walk has left."""
    from tests.console.browser import WALL_KEY
    from tests.console.looking import pages

    lin, chief = walk.person(CUSTOMER), walk.person(OPERATOR)

    def first(person, path: str, link: str) -> str:  # type: ignore[no-untyped-def]
        found = person.go(path).get_attribute(link, "href")
        return str(found).rsplit("/", 1)[1]

    examples = {
        "app_id": first(lin, "/apps", "tbody a"), "number": first(lin, "/orders", "tbody a"), "capability": "general",
        "name": "general", "key": WALL_KEY, "account_id": first(chief, "/operator/accounts", "tbody a"),
    }
    lin.leave()
    chief.leave()
    return pages(examples)


@pytest.mark.parametrize("who", [CUSTOMER, OPERATOR, None], ids=["customer", "operator", "anybody"])
def test_every_page_with_data_fits_and_axe_finds_nothing_serious(
    walk: Walk, paths: list[str], who: tuple[str, str] | None
) -> None:
    from tests.console.looking import faults, shown_to

    person = walk.person(who)
    seen = shown_to(person, paths)
    assert len(seen) > (0 if who is None else 5)
    assert [each for path in seen for each in faults(person, path)] == []
    person.leave()


def test_every_empty_page_fits_and_axe_finds_nothing_serious(walk: Walk, paths: list[str]) -> None:
    from tests.console.looking import faults, shown_to

    east = walk.person(OTHER)
    assert [each for path in shown_to(east, paths) for each in faults(east, path, thorough=False)] == []
    east.leave()


def test_english_pages_fit_as_well_and_a_further_visit_costs_little(walk: Walk, paths: list[str]) -> None:
    from tests.console.looking import shown_to, warm_faults

    for who in (CUSTOMER, OPERATOR):
        person = walk.person(who)
        person.speak("en")
        assert [each for path in shown_to(person, paths) for each in warm_faults(person, path)] == []
        person.leave()


def test_no_page_is_left_out(walk: Walk, paths: list[str]) -> None:
    """Each page is shown to somebody; only the set-up is gone after the first run, and was looked at there."""
    from tests.console.looking import shown_to

    seen: set[str] = set()
    for who in (CUSTOMER, OPERATOR, None):
        person = walk.person(who)
        seen |= set(shown_to(person, paths))
        person.leave()
    assert set(paths) - seen == {"/setup"}


def test_pictures_for_the_documentation(walk: Walk) -> None:
    lin = walk.person(CUSTOMER)
    for (path, width), name in SHOWN.items():
        lin.page.set_viewport_size({"width": width, "height": 900})
        keep(lin.go(path), name)
    lin.leave()
