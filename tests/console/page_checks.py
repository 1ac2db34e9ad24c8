"""Layout and accessibility checks of every page of the route table. For the browser tests only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from inkgate.service.console.pages import PAGES
from tests.console.browser import BrowserUser

LOOKS = Path(__file__).with_name("looks.js").read_text("utf-8")
NO_PAGES = {"/samples/{name}.jpg", "/apps/name", "/callers", "/palette", "/oidc", "/oidc/back", "/wall/{key}"}
"""Images, fragments and redirects. Downloads (.csv, .json, .jsonl) are excluded as well."""
QUERIES = {"/buy/{capability}/confirm": "?general-100k=1"}
"""What a page needs besides its path."""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 375, "height": 812}
COLD_BYTES, WARM_BYTES = 1_000_000, 60_000


def pages(examples: Mapping[str, str]) -> list[str]:
    """The path of every page. `examples` has a value for each route parameter; add new ones to it."""
    found = []
    for router in PAGES:
        for route in router.routes:
            path, methods = route.path, route.methods  # type: ignore[attr-defined]
            if "GET" in methods and path not in NO_PAGES and not path.endswith((".csv", ".json", ".jsonl")):
                found.append(re.sub(r"\{(\w+)\}", lambda name: examples[name[1]], path) + QUERIES.get(path, ""))
    assert len(found) > 15
    return found


def shown_to(person: BrowserUser, paths: list[str]) -> list[str]:
    """The pages that this user may see: neither an error nor a redirect."""

    def shows(path: str) -> bool:
        answer = person.context.request.get(f"{person.base}/console{path}", max_redirects=0)
        return answer.status == 200 and "<!doctype html>" in answer.text()

    return [path for path in paths if shows(path)]


def page_problems(person: BrowserUser, path: str, *, thorough: bool = True) -> Iterator[str]:
    """Problems of a page at both widths and in both colour schemes, and of its size on a first visit.

    `thorough` False runs the full axe rules once only, for pages that resemble others."""
    page = person.page
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    taken = person.weigh(path)
    expect(page.locator(".waiting")).to_have_count(0)
    if taken > COLD_BYTES:
        yield f"{path}: {taken:,} bytes on a first visit"
    yield from (f"{path} {each}" for each in shown_problems(page, thorough=thorough))


def shown_problems(page: Page, *, thorough: bool = True) -> Iterator[str]:
    """Problems of the page as it is now, which may be the answer to a form, at both widths and in both schemes."""
    rounds = (
        ("1440 light", WIDE, "light", thorough),
        ("1440 dark", WIDE, "dark", False),
        ("375 dark", NARROW, "dark", True),
        ("375 light", NARROW, "light", False),
    )
    for name, size, theme, judged in rounds:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        yield from (f"{name}: {each}" for each in page.evaluate(LOOKS))
        yield from (f"{name}: {each}" for each in axe(page, None if judged else ["color-contrast"]))


def warm_page_problems(person: BrowserUser, path: str) -> Iterator[str]:
    """Problems of the page in the current language and colours: its layout, and its size with a filled cache."""
    page = person.page
    page.set_viewport_size(WIDE)
    person.go(path)
    taken = person.weigh(path, warm=True)
    expect(page.locator(".waiting")).to_have_count(0)
    if taken > WARM_BYTES:
        yield f"{path}: {taken:,} bytes on a further visit"
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        yield from (f"{path} {size['width']}: {each}" for each in page.evaluate(LOOKS))


def axe(page: Page, rules: list[str] | None = None) -> Iterator[str]:
    """Serious and critical axe violations, of all rules or of `rules`."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    for each in page.evaluate("options => axe.run(options)", options)["violations"]:
        if each["impact"] in ("serious", "critical"):
            yield f"{each['id']} {each['nodes'][0]['html'][:200]}"
