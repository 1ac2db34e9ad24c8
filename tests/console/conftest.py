"""Fixtures of the console tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.console.console_fixture import ConsoleFixture
from tests.console.walkthrough import Walkthrough


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    """A console with three users, once per database."""
    return await ConsoleFixture.build(engine)


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A running service on an empty database and a browser; for the browser tests only."""
    from tests.console.browser import chromium, service  # the other tests run without Playwright

    with service(tmp_path_factory.mktemp("service")) as base, chromium() as browser:
        yield Walkthrough(base, browser)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A running service with the data of `inkgate demo` and a browser; for the screenshots."""
    from tests.console.browser import chromium, example_service

    with example_service(tmp_path_factory.mktemp("demo")) as (base, users), chromium() as browser:
        yield Walkthrough(base, browser, users)
