"""A running service with its console, and Chromium. Imported by the browser tests only."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.demo import Demo, customers, seed
from inkgate.service.demo.callers import regions
from inkgate.service.demo.seed import RETENTION_DAYS
from inkgate.service.settings import Database, Security
from tests.console.walkthrough import CUSTOMER, OPERATOR

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
WALL_KEY = "a screen on a wall"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[str]:
    """`inkgate serve` in a child process on an empty database (inkgate.db in `folder`); yields its base URL."""
    regions = folder / "regions.csv"
    regions.write_text("127.0.0.0/8,浙江省\n", "utf-8")  # the source of all calls of these tests
    environment = os.environ | {
        "INKGATE_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/inkgate.db",
        "INKGATE_WORKER__PROCESSES": "1",
        "INKGATE_LIMITS__QPS": "1000",
        "INKGATE_CONSOLE__WALL_KEY": WALL_KEY,
        "INKGATE_CONSOLE__REGIONS": str(regions),
        **{f"INKGATE_{name}": value for name, value in settings.items()},
    }
    log = folder / "log"
    command = [sys.executable, "-m", "inkgate.service.cli", "serve", "--port", "0"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=ROOT, env=environment)
    try:
        give_up = time.monotonic() + START_SECONDS
        while not (ready := re.search(r"is ready at (http://[\d.:]+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.2)
        yield ready[1]
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def example_service(folder: Path, **settings: str) -> Iterator[tuple[str, dict[tuple[str, str], tuple[str, str]]]]:
    """`service` on a database with the example data; yields its base URL, and the users of it for those of a walk."""
    database = Database(url=f"sqlite+aiosqlite:///{folder}/inkgate.db")

    async def fill() -> Demo:
        await migrate.upgrade_async(database.url)
        engine = databases.create(database)
        try:
            return await seed(engine, vaults.load(Security(), database), datetime.now(UTC))
        finally:
            await engine.dispose()

    with ThreadPoolExecutor(1) as thread:  # Playwright's event loop runs in this one
        passwords = thread.submit(asyncio.run, fill()).result().passwords
    (folder / "example").mkdir()
    table = str(regions(folder / "example"))
    users = {
        OPERATOR: (customers.OPERATOR, passwords[customers.OPERATOR]),
        CUSTOMER: (customers.CUSTOMER, passwords[customers.CUSTOMER]),
    }
    with service(folder, CONSOLE__REGIONS=table, LEDGER__RETENTION_DAYS=str(RETENTION_DAYS), **settings) as base:
        yield base, users


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    assert CHROMIUM, "Chromium is missing; on Debian: apt-get install chromium (or name it with CHROMIUM=/path/to/it)"
    playwright: Playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class BrowserUser:
    """A user with a browser of their own. `console_errors` are the errors and warnings that the browser logs."""

    browser: Browser
    base: str
    width: int = 1440
    context: BrowserContext = field(init=False)
    page: Page = field(init=False)
    console_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = self.browser.new_context(viewport={"width": self.width, "height": 900}, locale="zh-CN")
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=self.base)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.console_errors.append(str(error)))

    def _note(self, message: object) -> None:
        text = getattr(message, "text", "")
        if getattr(message, "type", "") in ("error", "warning") and "status of 4" not in text:
            self.console_errors.append(text)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.base}/console{path}")
        return self.page

    def weigh(self, path: str, *, warm: bool = False) -> int:
        """Bytes that a page transfers, on a first visit or, `warm`, with a filled cache."""
        taken: list[float] = []
        wire = self.context.new_cdp_session(self.page)
        wire.on("Network.loadingFinished", lambda event: taken.append(event["encodedDataLength"]))
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": not warm})
        self.page.goto(f"{self.base}/console{path}", wait_until="load")
        self.page.wait_for_timeout(30)  # the browser reports the last bytes with a delay
        wire.detach()
        assert taken
        return round(sum(taken))

    def speak(self, language: str) -> None:
        """Choose the language, "zh" or "en"."""
        path = f"{self.base}/console"
        self.context.add_cookies([{"name": "inkgate_language", "value": language, "url": path}])

    def sign_in(self, login: str, password: str) -> None:
        self.go("/login")
        self.page.fill("#login", login)
        self.page.fill("#password", password)
        self.page.click("form.form button")

    def sure(self) -> None:
        """Accept the confirmation dialog."""
        self.page.click("#confirm [data-sure]")

    def leave(self) -> None:
        assert self.console_errors == []
        self.context.close()
