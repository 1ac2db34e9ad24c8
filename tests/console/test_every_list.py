"""Every page with more than a thousand objects of each kind: the rows that it shows and the statements that it sends to
the database stay within bounds, and every list can be paged to its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
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


LISTS = {
    "/operator/accounts?q=%E5%AE%A2&operators=2": ("page", r'href="/console/operator/accounts/([0-9a-f-]{36})"'),
    "/operator/accounts?q=x": ("operators", r"<td class=\"break\">(user\d{6})"),
    "/operator/accounts/{account}?apps=2": ("packs", r'<span class="mono">(\d{20})'),
    "/operator/accounts/{account}?packs=2": ("users", r"<td class=\"break\">(user\d{6})"),
    "/operator/accounts/{account}?users=2": ("family", r">(客户 \d{6})</a>"),
    "/operator/accounts/{account}?family=2": ("apps", r'<button[^>]*data-opens="allow-([0-9a-f-]{36})"'),
    "/bills?month=2026-03&uses=1": ("charges", r"badge[^>]*>(\w+</span></td><td><a[^>]*/orders/\d{20})"),
    "/capabilities/general?apps=2": ("packs", r'class="mono" href="/console/orders/(\d{20})"'),
    "/capabilities/general?packs=2": ("apps", r"<td>(app_\d{7})</td>"),
    "/members?account={account}": ("users", r"<td class=\"break\">(user\d{6})"),
    "/refunds?q=general": ("records", r'action="/console/refunds/([0-9a-f-]{36})/withdraw"'),
    "/monitor?days=7": ("apps", r"app=[0-9a-f-]{36}\">(app_\d{7})</a>"),
    "/operator/workers": ("page", r"<strong>(host-\d{4} #\d)</strong>"),
    "/operator/takeover?days=7": ("page", r"days=7\">(app_\d{7})</a>"),
    "/operator/balances?account=%E9%9D%92%E7%A6%BE": ("entries", r'¥0\.01</td><td class="right">(¥[\d.]+)</td></tr>'),
}  # fmt: skip
FEWER = {"/bills?month=2026-03&uses=1", "/capabilities/general?apps=2", "/refunds?q=general"}
"""Lists that show a part of the objects: those of a month, of a capability, or of a state."""


async def test_every_list_can_be_paged_to_its_end_with_its_filters(many: ConsoleFixture) -> None:
    clients = {True: await many.signed_in("chief"), False: await many.signed_in("lin")}
    for template, (name, row) in LISTS.items():
        address: str | None = template.format(account=many.account_id)
        kept, found, pages = template.partition("?")[2].format(account=many.account_id), [], 0
        while address is not None:
            page = await clients[address.startswith("/operator")].see(address)
            found += re.findall(row, page, re.DOTALL)
            pages += 1
            links = re.findall(r'rel="next" href="/console([^"]*)"', page)
            address = next((each for each in map(unescape, links) if f"{name}={pages + 1}" in each), None)
            assert address is None or kept in address, (template, address)
        assert len(found) == len(set(found)), template
        assert pages > 1, template
        assert len(found) >= (20 if template in FEWER else COUNT), (template, len(found))
