"""Fixtures of the console tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.console.console_fixture import ConsoleFixture
from tests.console.walkthrough import Walkthrough

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    """A console with three users, once per database."""
    return await ConsoleFixture.build(engine)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for the browser tests only. One for all of them: Playwright runs once per thread."""
    from tests.console.browser import chromium  # the other tests run without Playwright

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def walk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A running service on an empty database and a browser."""
    from tests.console.browser import service

    with service(tmp_path_factory.mktemp("service")) as base:
        yield Walkthrough(base, browser)


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walkthrough]:
    """A running service with the data of `inkgate demo` and a browser; for the screenshots."""
    from tests.console.browser import example_service

    with example_service(tmp_path_factory.mktemp("demo")) as (base, users):
        yield Walkthrough(base, browser, users)
