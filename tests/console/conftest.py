"""Fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.console.house import ConsoleHouse
from tests.console.walking import Walk


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleHouse:
    """A console with three users, on each kind of database."""
    return await ConsoleHouse.build(engine)


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A real service on an empty database and a browser, for the browser tests alone."""
    from tests.console.browser import chromium, service  # Playwright is not for the other tests to install

    with service(tmp_path_factory.mktemp("service")) as base, chromium() as browser:
        yield Walk(base, browser)
