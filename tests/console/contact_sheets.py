"""Images of every page of the example data in every language, colour scheme and width, joined into contact sheets.

    python -m tests.console.contact_sheets [--only PATTERN] [FOLDER]

For people who judge the look of the console by eye; the checks that need no eye are in test_walk_looks.py. Writes PNG
to FOLDER (build/console-looks by default): one file an image, and sheets that join them.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AppRow
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.demo.customers import LIBRARY
from inkgate.service.settings import Database
from inkgate.service.takeover import routes
from tests import takeover_data
from tests.console.browser import WALL_KEY, BrowserUser, chromium, example_service, service
from tests.console.contact_states import STATES
from tests.console.page_checks import pages, shown_to
from tests.console.test_walk import choose_own_password, new_customer
from tests.console.walkthrough import CUSTOMER, OPERATOR, Walkthrough

LANGUAGES, THEMES, WIDTHS = ("zh", "en"), ("light", "dark"), (1440, 375, 1920)
HEIGHTS = {1440: 900, 375: 812, 1920: 1080}  # of the window, in CSS pixels
SHOT_HEIGHT = 3600  # of a page in CSS pixels; the rest of a longer one is cut
DIALOGS = 4  # of a page
SHEET_WIDTH, SHEET_HEIGHT = 1560, 1700  # pixels
GAP, LABEL = 8, 16  # pixels between images, and above each for its name
FOLDER = Path("build/console-looks")


@dataclass
class Album:
    """The images of a run, by name, language, theme and width."""

    folder: Path
    only: str = ""
    taken: dict[tuple[str, str, str, int], Path] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        return re.search(self.only, name) is not None

    def take(self, page: Page, name: str, language: str, *, whole: bool = True) -> None:
        """The page as it is now, in each theme and width; `whole` with what is below the window."""
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
                page.wait_for_timeout(60)  # charts draw themselves again
                path = self.folder / "pages" / f"{name}-{language}-{theme}-{width}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                clip = {"x": 0, "y": 0, "width": width, "height": min(_height(page), SHOT_HEIGHT)}
                page.screenshot(path=path, full_page=whole, **({"clip": clip} if whole else {}))  # type: ignore[arg-type]
                self.taken[name, language, theme, width] = path
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1440, "height": 900})

    def join(self) -> int:
        """Write the sheets; returns their number. Two images a row, of phones four."""
        names = list(dict.fromkeys(name for name, *_ in self.taken))
        every = [(language, theme) for language in LANGUAGES for theme in THEMES]
        count = 0
        for kind, width, columns in (("desktop", 1440, 2), ("phone", 375, 4), ("wide", 1920, 2)):
            tiles = [(name, *each, width) for name in names for each in every if (name, *each, width) in self.taken]
            for number, sheet in enumerate(self._sheets(tiles, columns), 1):
                sheet.save(self.folder / f"{kind}-{number:02}.png")
                count += 1
        return count

    def _sheets(self, tiles: list[tuple[str, str, str, int]], columns: int) -> Iterator[Image.Image]:
        waiting = iter(tiles)
        rows: list[Image.Image] = []
        while some := list(islice(waiting, columns)):
            row = self._row(some, columns)
            if rows and sum(each.height for each in rows) + row.height > SHEET_HEIGHT:
                yield _stack(rows)
                rows = []
            rows.append(row)
        if rows:
            yield _stack(rows)

    def _row(self, tiles: list[tuple[str, str, str, int]], columns: int) -> Image.Image:
        wide = (SHEET_WIDTH - GAP * (columns - 1)) // columns
        images = []
        for tile in tiles:
            image = Image.open(self.taken[tile]).convert("RGB")
            images.append(image.resize((wide, round(image.height * wide / image.width)), Image.Resampling.LANCZOS))
        tall = min(SHEET_HEIGHT - LABEL, max(each.height for each in images))
        row = Image.new("RGB", (SHEET_WIDTH, tall + LABEL + GAP), "#888")
        for index, (tile, image) in enumerate(zip(tiles, images, strict=True)):
            left = index * (wide + GAP)
            row.paste(image.crop((0, 0, wide, min(tall, image.height))), (left, LABEL))
            ImageDraw.Draw(row).text((left + 2, 2), " ".join(map(str, tile)), fill="#fff")
        return row


def _height(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollHeight"))


def _stack(rows: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (SHEET_WIDTH, sum(each.height for each in rows)), "#888")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def photograph(album: Album, person: BrowserUser, prefix: str, paths: list[str]) -> None:
    """Each page of a user, and its dialogs."""
    for path in paths:
        name = prefix + (path.replace("/", "_").replace("?", "_") if path != "/" else "_home")
        if not album.wants(name):
            continue
        for language in LANGUAGES:
            person.speak(language)
            page = person.go(path)
            if page.locator("main.wall").count():
                page.reload()  # an address that differs in the fragment alone does not, and the language would stay
            page.wait_for_load_state("networkidle") if "every" not in page.content() else page.wait_for_timeout(800)
            album.take(page, name, language)
            _dialogs(album, page, name, language)


def _dialogs(album: Album, page: Page, name: str, language: str) -> None:
    """Each dialog of the page, opened by its button, and the question before the first form that asks one."""
    openers = page.locator("[data-opens]:visible")
    seen: set[str] = set()
    for index in range(openers.count()):
        dialog = str(openers.nth(index).get_attribute("data-opens"))
        if dialog in seen or len(seen) == DIALOGS:
            continue
        seen.add(dialog)
        openers.nth(index).click()
        album.take(page, f"{name}__dialog{len(seen)}", language, whole=False)
        page.keyboard.press("Escape")
    asks = page.locator("form[data-confirm] button:visible:not([disabled])")
    if asks.count():
        asks.first.click()
        if page.locator("#confirm[open]").count():
            album.take(page, f"{name}__confirm", language, whole=False)
            page.keyboard.press("Escape")


def states(album: Album, walk: Walkthrough) -> None:
    """The pages of STATES."""
    for state in STATES:
        if not album.wants(f"state_{state.name}"):
            continue
        person = walk.person(state.who)
        for language in LANGUAGES:
            person.speak(language)
            page = person.go(state.path)
            page.wait_for_load_state("networkidle")
            state.act(page)
            album.take(page, f"state_{state.name}", language, whole=state.whole)
        person.context.close()


def first_run(album: Album, browser: Browser) -> None:
    """The set-up, and every page of an operator and of a customer with nothing in it."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder), ENGINE__RUNTIME="stub") as base:
        walk = Walkthrough(base, browser)
        chief, lin = walk.person(), walk.person()
        photograph(album, chief, "anybody", ["/setup"])
        chief.speak("zh")
        page = chief.go("/setup")
        page.fill("#login", OPERATOR[0])
        page.fill("#password", OPERATOR[1])
        page.click("form.form button")
        page.wait_for_selector("main h1")
        without = [path for path in pages(Missing()) if "/-" not in path]
        photograph(album, chief, "empty", [path for path in shown_to(chief, without) if path.startswith("/operator")])
        chief.speak("zh")
        initial = new_customer(chief, "青禾软件", CUSTOMER)
        lin.sign_in(CUSTOMER[0], initial)
        photograph(album, lin, "first", ["/password"])
        lin.context.clear_cookies()  # the next step signs in again
        choose_own_password(lin, initial, CUSTOMER)
        photograph(album, lin, "empty", [path for path in shown_to(lin, without) if path != "/password"])


class Missing(dict[str, str]):
    """Examples for addresses of things that are not there."""

    def __missing__(self, name: str) -> str:
        return "general" if name == "capability" else "-"


async def _takeover(database: Path) -> str:
    """An app of another customer than the one shown is mirrored, with three days of figures; returns its id."""
    engine = engines.create(Database(url=f"sqlite+aiosqlite:///{database}"))
    async with work.unit_of_work(engine, "test") as unit:
        found = await unit.session.execute(select(AppRow.id, AppRow.account_id).where(AppRow.name == LIBRARY.name))
        app_id, account_id = found.one()
        for capability in ("general", "idcard"):
            await accounts.open_capability(unit, app_id, capability)
            await routes.set_route(unit, app_id, capability, routes.Mode.MIRROR, enabled=True)
    await takeover_data.write_figures(engine, account_id, app_id, datetime.now(UTC), personal=True)
    await engine.dispose()
    return str(app_id)


def with_data(album: Album, browser: Browser) -> None:
    """Every page over the example data, and the states of pages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        example_service(Path(folder), TAKEOVER__URL="https://cloud.test") as (
            base,
            users,
        ),
    ):
        with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop running in this one
            app = thread.submit(asyncio.run, _takeover(Path(folder) / "inkgate.db")).result()
        walk = Walkthrough(base, browser, users)
        lin, chief, anybody = walk.person(CUSTOMER), walk.person(OPERATOR), walk.person()
        number = str(lin.go("/orders").get_attribute("tbody a", "href")).rsplit("/", 1)[1]
        account = str(chief.go("/operator/accounts").get_attribute("tbody a", "href")).rsplit("/", 1)[1]
        found = {"app_id": app, "number": number, "capability": "general", "name": "general", "key": WALL_KEY}
        paths = pages(found | {"account_id": account})
        mine = shown_to(lin, paths)
        photograph(album, lin, "customer", mine)
        photograph(album, chief, "operator", [path for path in shown_to(chief, paths) if path not in mine])
        photograph(album, anybody, "anybody", ["/login", f"/wall#{WALL_KEY}"])
        states(album, walk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--only", default="", help="only images whose name has this, a regular expression")
    given = parser.parse_args()
    album = Album(given.folder, given.only)
    with chromium() as browser:
        with_data(album, browser)
        first_run(album, browser)
    print(f"{len(album.taken)} images, {album.join()} sheets in {album.folder}")


if __name__ == "__main__":
    main()
