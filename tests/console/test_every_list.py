"""Every page with more than a thousand objects of each kind: the rows that it shows and the statements that it sends to
the database stay within bounds, and every list can be paged to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.console.lists import PRODUCT_CAPABILITY, Amounts, fill
from inkgate.service.broker.interface import QueueState
from inkgate.service.broker.worker_registry import READY, WorkerRecord, WorkerRegistryState
from inkgate.service.console import create_console
from inkgate.service.permissions.routes import CONSOLE
from inkgate.service.usage.models import HourRow
from tests.console.console_fixture import NOW, BrowserClient, ConsoleFixture

COUNT = 1_100  # objects of each kind
MAX_TABLE_ROWS = 100
MAX_ITEMS = 100  # of one list
MAX_CHOICES = 201  # of one field to choose from
MAX_DIALOGS = 60
MAX_STATEMENTS = 36
NOT_WALKED = {
    *((path) for method, path in CONSOLE if path.endswith((".csv", ".json", ".jsonl", ".jpg"))),
    "/setup", "/oidc", "/oidc/back", "/wall/{key}", "/apps/name",
}  # fmt: skip
QUERIES = {
    "/": ("", "?days=1", "?days=90"),
    "/monitor": ("", "?days=1", "?days=90"),
    "/palette": ("?q=a", "?q=00"),
    "/refunds": ("", "?only=1"),
    "/orders": ("", "?state=pending", "?state=cancelled"),
    "/vouchers": ("", "?state=used"),
    "/operator/orders": ("", "?state=active"),
    "/operator/refunds": ("", "?state=approved"),
    "/operator/audit": ("", "?q=user1", "?result=failed"),
    "/operator/accounts": ("", "?q=0"),
}


@dataclass
class Counter:
    """Statements sent to the database."""

    statements: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self, engine: AsyncEngine) -> Iterator[None]:
        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            self.statements.append(statement)

        event.listen(engine.sync_engine, "before_cursor_execute", note)
        try:
            yield
        finally:
            event.remove(engine.sync_engine, "before_cursor_execute", note)


class ManyWorkers:
    """A registry of many worker processes."""

    async def snapshot(self) -> WorkerRegistryState:
        hosts = [f"host-{number:04}" for number in range(COUNT // 10)]
        return WorkerRegistryState(
            QueueState(0, 0, 0.0, COUNT),
            [
                WorkerRecord(host, slot, f"{host}-{slot}", "1", "fast", READY, 0.0)
                for host in hosts
                for slot in range(10)
            ],
        )


@pytest.fixture
async def many(engine: AsyncEngine) -> ConsoleFixture:
    """A console whose first customer has COUNT objects of each kind."""
    console = await ConsoleFixture.build(engine, console={"wall_key": "k" * 16})
    console.parts = replace(console.parts, fleet=ManyWorkers())
    console.app.router.routes.clear()
    console.app.mount("/console", create_console(console.parts))
    await fill(engine, console.account_id, NOW, Amounts.even(COUNT))
    await hours(console)
    return console


async def hours(console: ConsoleFixture) -> None:
    """A call of each app in this hour."""
    row = {"hour": NOW.replace(minute=0) - timedelta(hours=1), "capability": PRODUCT_CAPABILITY, "code": 0}
    sums = {"calls": 1, "images": 1, "failed_images": 0, "units": 1, "body_bytes": 1, "duration_ms": 9}
    async with console.engine.begin() as connection:
        apps = [f"{2:08x}-0000-7000-8000-{number:012x}" for number in range(COUNT)]
        rows = [{**row, **sums, "app_id": app, "account_id": console.account_id} for app in apps]
        await connection.execute(insert(HourRow), rows)


def addresses(console: ConsoleFixture) -> list[str]:
    """The address of every page, some with several queries."""
    known = {
        "app_id": console.app_id,
        "account_id": console.account_id,
        "name": "general",
        "capability": "general",
        "number": f"{4:020}",
    }
    return [
        path.format(**known) + query
        for method, path in CONSOLE
        if method == "GET" and path not in NOT_WALKED
        for query in QUERIES.get(path, ("",))
    ]


def longest(page: str, tag: str, row: str) -> int:
    """The number of `row` elements in the largest `tag` element of a page."""
    return max((part.partition(f"</{tag}>")[0].count(f"<{row}") for part in page.split(f"<{tag}")[1:]), default=0)


def excess(page: str, statements: list[str]) -> list[str]:
    """What is above its bound."""
    found = {
        "rows": (longest(page, "tbody", "tr"), MAX_TABLE_ROWS),
        "items": (max(longest(page, "ul", "li"), longest(page, "ol", "li")), MAX_ITEMS),
        "slots": (longest(page, "li", "i class"), MAX_ITEMS),
        "choices": (longest(page, "select", "option"), MAX_CHOICES),
        "dialogs": (page.count("<dialog"), MAX_DIALOGS),
        "statements": (len(statements), MAX_STATEMENTS),
    }
    return [f"{count} {name}, at most {most}" for name, (count, most) in found.items() if count > most]


async def test_every_page_is_bounded(many: ConsoleFixture) -> None:
    clients: dict[bool, BrowserClient] = {True: await many.signed_in("chief"), False: await many.signed_in("lin")}
    await clients[False].submit("/wall", page="/wall", key="k" * 16)
    wrong = {}
    for address in addresses(many):
        client, counter = clients[address.startswith("/operator")], Counter()
        with counter.watching(many.engine):
            answer = await client.get(address)
        assert answer.status_code in (200, 303), (address, answer.status_code)
        found = excess(answer.text, counter.statements)
        if found:
            wrong[address] = found
    assert wrong == {}
