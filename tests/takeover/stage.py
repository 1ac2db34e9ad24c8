"""This installation before the cloud of the tests, as real processes, and changes of its routes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import repository as accounts
from inkgate.service.db import engine as engines
from inkgate.service.db.work import unit_of_work
from inkgate.service.settings import Database
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode, Override
from tests.takeover.cloud import Cloud, Installation, cloud, database_url, install, served

ROOT = Path(__file__).resolve().parents[2]
EFFECTIVE_SECONDS = 10.0  # far above the second that a change takes: the machine may be crowded


@dataclass
class Stage:
    """An installation with routes to a cloud. `base` is its URL, `settings` those of its processes."""

    here: Installation
    upstream: Cloud
    base: str
    settings: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.here.folder

    def command(self, *words: str, status: int = 0) -> str:
        """Run `inkgate …` on the installation's database; its output and errors."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INKGATE_")}
        given = {f"INKGATE_{name}": value for name, value in self.settings.items()}
        command = [sys.executable, "-m", "inkgate.service.cli", *words]
        ran = subprocess.run(
            command, env={**kept, **given}, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert ran.returncode == status, ran.stderr
        return ran.stdout + ran.stderr

    def route(self, mode: Mode, percent: int | None = None) -> None:
        """Route all capabilities of the paid app, and wait until the change works."""
        asyncio.run(self._route(mode, percent))
        self.wait_effective()

    def off(self, override: Override) -> None:
        """Set the switch above all routes, and wait until the change works."""
        asyncio.run(self._off(override))
        self.wait_effective()

    def wait_effective(self) -> None:
        """Wait until the gateway has read the routes after this moment."""
        changed = time.time()
        self.wait_for(lambda: self.metric("inkgate_takeover_routes_read_timestamp_seconds") > changed + 0.1)

    def wait_for(self, met: Callable[[], bool]) -> None:
        """Wait for a condition, at most EFFECTIVE_SECONDS."""
        give_up = time.monotonic() + EFFECTIVE_SECONDS
        while not met():
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric's samples whose labels contain a text."""
        page = httpx.get(f"{self.base}/metrics", timeout=30).text
        samples = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", page, re.MULTILINE)
        return sum(float(value) for found, value in samples if labels in found)

    async def _route(self, mode: Mode, percent: int | None) -> None:
        engine = engines.create(Database(url=database_url(self.folder)))
        try:
            async with unit_of_work(engine, "test") as work:
                app = await accounts.app_by_key(work.session, self.here.keys.appkey)
                assert app is not None
                for name in await routes.opened(work, app.id):
                    await routes.set_route(work, app.id, name, mode, percent=percent, enabled=True)
        finally:
            await engine.dispose()

    async def _off(self, override: Override) -> None:
        engine = engines.create(Database(url=database_url(self.folder)))
        try:
            async with unit_of_work(engine, "test") as work:
                await routes.set_override(work, override)
        finally:
            await engine.dispose()


@contextmanager
def staged(folder: Path, *, tls: bool = True, **further: str) -> Iterator[Stage]:
    """An installation and its cloud in subfolders of `folder`; `further` settings as GROUP__NAME."""
    here = install(folder / "here")
    with cloud(here, folder / "cloud", tls=tls) as upstream:
        settings = {
            "DATABASE__URL": database_url(here.folder),
            "TAKEOVER__URL": upstream.url,
            "TAKEOVER__READ_TIMEOUT": "3",
            "TAKEOVER__CONNECT_TIMEOUT": "3",
            **further,
        }
        if upstream.authority is not None:
            settings["TAKEOVER__CA_FILE"] = str(upstream.authority)
        with served(here.folder, **settings) as base:
            yield Stage(here, upstream, base, settings)
