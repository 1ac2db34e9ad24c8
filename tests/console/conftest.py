"""Fixtures of the console's tests."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.console.house import ConsoleHouse


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleHouse:
    """A console with three users, on each kind of database."""
    return await ConsoleHouse.build(engine)
