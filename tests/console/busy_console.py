"""A console in this process over a SQLite file with half a year of known traffic, for browser tests of its looks."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import uvicorn
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.db.clock import BEIJING
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import grant_pack
from inkgate.service.settings import Database
from inkgate.service.usage import latency
from inkgate.service.usage.models import HourRow
from tests.console.console_fixture import ConsoleFixture
from tests.console.test_live import BUSY, KEY, Watched

DAYS = 185
APPS = ("门户网站", "reimbursement", "mobile_app")
USED = {"general": 400_000, "idcard": 810_000, "plate": 1_000_000}
"""Used units of each pack of a million: below the warning, above it, and all."""


@contextmanager
def busy_console(database_url: str) -> Iterator[str]:
    """Fills a new database and yields the base URL; the users are those of ConsoleFixture, the time the machine's."""
    engine = engines.create(Database(url=database_url))
    with ThreadPoolExecutor(1) as other:  # Playwright's event loop may run in this thread
        console = other.submit(asyncio.run, _filled(database_url, engine)).result()
    server = uvicorn.Server(uvicorn.Config(console.app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < give_up
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


async def _filled(database_url: str, engine: AsyncEngine) -> ConsoleFixture:
    await migrate.upgrade_async(database_url)
    console = await ConsoleFixture.build(engine, console={"wall_key": KEY})
    console.clock.time = datetime.now(UTC)
    console.app.routes[-1].app.state.parts = console.parts = replace(console.parts, fleet=Watched(BUSY))  # type: ignore[attr-defined]
    async with console.begin() as unit:
        apps = [await accounts.create_app(unit, console.parts.vault, console.account_id, name) for name in APPS]
        for app in apps:
            for capability in USED:
                await accounts.open_capability(unit, app.app_id, capability)
        for capability, used in USED.items():
            await grant_pack(unit, console.account_id, capability, 1_000_000)
            full = {"exhausted_at": console.clock.time} if used == 1_000_000 else {}
            row = update(PackRow).where(PackRow.capability == capability)
            await unit.session.execute(row.values(used=used, **full))
        hours = [row for app in apps for row in _hours(console, app.app_id)]
        for start in range(0, len(hours), 500):
            await unit.session.execute(insert(HourRow), hours[start : start + 500])
    await engine.dispose()  # its connections belong to the event loop of this function
    return console


def _hours(console: ConsoleFixture, app_id: str) -> Iterator[dict[str, object]]:
    """Hourly totals, more at noon, some of them failed."""
    first = console.clock.time.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    for index in range(0, DAYS * 24 + 1, 2):
        hour = first + timedelta(hours=index)
        calls = 3 + round(9000 * math.exp(-(((hour.astimezone(BEIJING).hour - 14) / 5) ** 2)))
        for capability in ("general", "idcard", "plate", "licence"):
            for code, share in ((0, 1.0), (400009, 0.02)):
                count = max(1, round(calls * share))
                took = dict.fromkeys(latency.COLUMNS, 0) | {latency.column(140): count}
                yield {
                    "hour": hour,
                    "app_id": app_id,
                    "capability": capability,
                    "code": code,
                    "account_id": console.account_id,
                    "calls": count,
                    "images": count,
                    "failed_images": count if code else 0,
                    "units": count,
                    "body_bytes": count * 150_000,
                    "duration_ms": count * 140,
                    **took,
                }
