"""The users of the console walkthrough, and the screenshots for the documentation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.console.browser import BrowserUser

User = tuple[str, str]  # login and password
OPERATOR, CUSTOMER, OTHER = ("chief", "operators know it"), ("lin", "customers know it"), ("east", "a library knows it")
SHOTS = Path(__file__).parents[2] / "docs" / "img" / "console"


class Walkthrough:
    """One service and one browser for all browser tests, which run in order and build on each other.

    `users` are login and password of OPERATOR and CUSTOMER, where they are others than here."""

    def __init__(self, base: str, browser: Browser, users: Mapping[User, User] | None = None) -> None:
        self.base, self.browser, self.users = base, browser, users or {}

    def person(self, who: tuple[str, str] | None = None, width: int = 1440) -> BrowserUser:
        from tests.console.browser import BrowserUser

        person = BrowserUser(self.browser, self.base, width)
        if who:
            person.sign_in(*self.users.get(who, who))
            person.page.wait_for_selector("main h1")
        return person


def keep(page: Page, name: str) -> None:
    """Save a screenshot for docs/howto/console.md if CONSOLE_SHOTS=1."""
    if not os.environ.get("CONSOLE_SHOTS"):
        return
    SHOTS.mkdir(parents=True, exist_ok=True)
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image.save(SHOTS / f"{name}.webp", quality=70, method=6)
