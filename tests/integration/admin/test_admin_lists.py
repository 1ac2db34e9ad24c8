"""Lists of the admin API: each has a bound and pages, and their cost does not grow with the rows of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from benchmarks.console.lists import Amounts, fill
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.db import work
from inkgate.service.settings import Settings
from tests.ledger_data import CustomerData

NOW = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
COUNT = 1_100
MAX_STATEMENTS = 16
PERIOD = "since=2026-03-01T00:00:00Z&until=2026-03-20T00:00:00Z"
WRAPPED = {"/accounts/{account_id}/balance", "/takeover/routes"}
"""Lists within an object."""
BOUNDED = {"/notice-channels", "/catalogue", "/audit/keys"}
"""Lists of which the test has no rows; the first two are bounded when rows are made."""


@pytest.fixture
async def admin(customer: CustomerData) -> AsyncIterator[httpx.AsyncClient]:
    """A client with every scope, over COUNT objects of each kind."""
    await fill(customer.engine, customer.account_id, NOW, Amounts.even(COUNT))
    async with work.unit_of_work(customer.engine, "test") as unit:
        token = await tokens.create_token(unit, "olga", tokens.SCOPES)
    app = create_admin(customer.engine, customer.vault, Settings())
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://admin", headers=headers
    ) as client:
        yield client


def lists_of(paths: Mapping[str, Any]) -> dict[str, set[str]]:
    """Path → query parameters of the routes that answer with a list."""
    found = {}
    for path, methods in paths.items():
        answer = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = answer.get("application/json", {}).get("schema", {})
        if schema.get("type") == "array" or path in WRAPPED:
            found[path] = {each["name"] for each in methods["get"].get("parameters", []) if each["in"] == "query"}
    return found


async def test_every_list_pages_with_limit_and_offset(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    lists = lists_of((await admin.get("/openapi.json")).json()["paths"])
    assert len(lists) >= 15
    assert {path for path, names in lists.items() if not {"limit", "offset"} <= names} == set()
    for path, names in lists.items():
        address = path.replace("{account_id}", customer.account_id)
        query = PERIOD if "until" in names and path != "/audit" else ""
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any, seen: list[str] = statements) -> None:
            seen.append(statement)

        event.listen(customer.engine.sync_engine, "before_cursor_execute", note)
        try:
            pages = [(await admin.get(f"{address}?{query}&limit=3&offset={start}")) for start in (0, 2)]
        finally:
            event.remove(customer.engine.sync_engine, "before_cursor_execute", note)
        assert [each.status_code for each in pages] == [200, 200], (path, pages[0].text)
        assert len(statements) <= 2 * MAX_STATEMENTS, (path, statements)
        first, second = (rows_of(each.json()) for each in pages)
        assert len(first) <= 3 and len(second) <= 3, path
        if path not in BOUNDED | {"/usage", "/takeover/report", "/takeover/differences"}:
            assert len(first) == len(second) == 3 and first[2] == second[0], path


def rows_of(answer: Any) -> list[Any]:
    """The rows of a list, or of the list within an object."""
    return answer if isinstance(answer, list) else next(each for each in answer.values() if isinstance(each, list))


async def test_a_list_without_a_limit_is_bounded(customer: CustomerData, admin: httpx.AsyncClient) -> None:
    for path in ("keys", "packs", "apps"):
        rows = (await admin.get(f"/accounts/{customer.account_id}/{path}")).json()
        assert len(rows) <= 1000, path
