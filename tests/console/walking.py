"""Who walks through the console in the browser tests, and the pictures that they bring back for the documentation."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.console.browser import Person

OPERATOR, CUSTOMER, OTHER = ("chief", "operators know it"), ("lin", "customers know it"), ("east", "a library knows it")
SHOTS = Path(__file__).parents[2] / "docs" / "img" / "console"


class Walk:
    """One service and one browser for all browser tests, which run in order: what one has done the next one sees."""

    def __init__(self, base: str, browser: Browser) -> None:
        self.base, self.browser = base, browser

    def person(self, who: tuple[str, str] | None = None, width: int = 1440) -> Person:
        from tests.console.browser import Person

        person = Person(self.browser, self.base, width)
        if who:
            person.sign_in(*who)
            person.page.wait_for_selector("main h1")
        return person


def keep(page: Page, name: str) -> None:
    """A screenshot for docs/howto/console.md, when CONSOLE_SHOTS=1 asks for them."""
    if not os.environ.get("CONSOLE_SHOTS"):
        return
    SHOTS.mkdir(parents=True, exist_ok=True)
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.save(SHOTS / f"{name}.webp", quality=70, method=6)
