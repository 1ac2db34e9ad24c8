"""How much of the large tables the pages read: on SQLite none is scanned, on Postgres the rows that a statement reads
are bounded. Plans and counts do not change on a busy machine, as times do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.console import lists
from benchmarks.console.__main__ import CSV, OPERATOR_PAGES, PAGES, WALL_KEY
from benchmarks.console.lists import Amounts
from benchmarks.console.rows import Customer, fill
from inkgate.service.accounts import service as accounts
from inkgate.service.usage import rollup
from tests.console.console_fixture import NOW, ConsoleFixture

AMOUNTS = Amounts(
    orders=12_000,
    refunds=8_000,
    vouchers=5_000,
    entries=5_000,
    events=15_000,
    notices=10_000,
    users=200,
    sessions=200,
    keys=100,
    accounts=300,
    own_accounts=5,
    apps=1_000,
    own_apps=100,
    routes=100,
)
ENTRIES = 50_000
LARGE = (
    "usage_record", "usage_hour", "usage_refusal", "usage_day", "pack_order", "pack_order_line", "pack", "refund",
    "voucher", "balance_entry", "audit_event", "notice",
)  # fmt: skip
MAX_ROWS_READ = 5_000  # of the large tables by one statement
ENTRIES_PER_ROW = 10  # entries of an index that cost as much as reading a row
UNBOUNDED = (
    "q=user7",
    "q=nothing",
    "q=0000099",
    "kind=money",
    "result=failed",
    "page=50",
    "page=500",
    "/callers?days=90",
)
"""Addresses that end so may read more: filters by a part of a text or that few rows pass, which read until a page is
full; late pages, at most paging.LAST_PAGE; sources of calls, usage.MAX_LINES_SCANNED entries of each capability."""


@pytest.fixture
async def filled(engine: AsyncEngine) -> tuple[ConsoleFixture, Customer]:
    """A console over ENTRIES ledger entries and AMOUNTS of one customer."""
    console = await ConsoleFixture.build(engine, console={"wall_key": WALL_KEY})
    async with console.begin() as unit:
        made = [await accounts.create_app(unit, console.parts.vault, console.account_id, f"own_{n}") for n in range(4)]
    customer = Customer(console.account_id, tuple(each.app_id for each in made))
    await fill(engine, customer, NOW, days=20, calls=ENTRIES)
    await lists.fill(engine, console.account_id, NOW, AMOUNTS)
    await rollup.roll_up(engine, console.clock)
    if engine.dialect.name == "sqlite":
        async with engine.begin() as connection:
            await connection.execute(text("ANALYZE"))
    return console, customer


@contextmanager
def selects(engine: AsyncEngine) -> Iterator[list[tuple[str, Any]]]:
    """The queries that are sent, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")) and any(name in statement for name in LARGE):
            found.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def scanned(engine: AsyncEngine, statement: str, parameters: Any) -> list[str]:
    """The large tables that SQLite reads as a whole for a query."""
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plan = [str(row[3]) for row in rows]
    sorts = any("TEMP B-TREE FOR ORDER BY" in line for line in plan)
    return [
        line
        for line in plan
        if line.startswith("SCAN ") and line.split()[1] in LARGE and ("INDEX" not in line or sorts)
    ]


async def rows_read(engine: AsyncEngine, statement: str, parameters: Any) -> float:
    """The rows of large tables that Postgres reads for a query, filtered ones included."""
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        found = rows.scalar_one()
    plan = json.loads(found) if isinstance(found, str) else found
    return _read_by(plan[0]["Plan"])


def _read_by(node: dict[str, Any]) -> float:
    own = 0.0
    if any(node.get("Relation Name", "").startswith(name) for name in LARGE):
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own = (node["Actual Rows"] + removed) * node["Actual Loops"]
        if node["Node Type"] == "Index Only Scan":
            own /= ENTRIES_PER_ROW
    return own + sum(_read_by(each) for each in node.get("Plans", ()))


def addresses(customer: Customer) -> list[tuple[str, str]]:
    """(user, address) of the pages of the benchmark, without downloads."""
    known = {"app": customer.apps[0], "account": customer.account_id, "order": f"{7:020}"}
    return [
        (login, page.format(**known))
        for login, pages in (("lin", PAGES), ("chief", OPERATOR_PAGES))
        for page in pages
        if CSV not in page
    ]


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_no_page_reads_a_large_table_as_a_whole(filled: tuple[ConsoleFixture, Customer]) -> None:
    console, customer = filled
    postgres = console.engine.dialect.name == "postgresql"
    clients = {login: await console.signed_in(login) for login in ("lin", "chief")}
    wrong: dict[str, list[Any]] = {}
    for login, address in addresses(customer):
        with selects(console.engine) as found:
            assert (await clients[login].get(address)).status_code in (200, 303), address
        for statement, parameters in found:
            if postgres:
                read = await rows_read(console.engine, statement, parameters)
                if read > MAX_ROWS_READ:
                    wrong.setdefault(address, []).append((read, statement))
            elif lines := await scanned(console.engine, statement, parameters):
                wrong.setdefault(address, []).append((lines, statement))
    wrong = {page: found for page, found in wrong.items() if not page.endswith(UNBOUNDED)}
    assert wrong == {}
