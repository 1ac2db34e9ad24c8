"""Closing an engine waits for connections that are still to be given back, and not for ever."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from inkgate.service.db import engine as databases
from inkgate.service.settings import Database
from tests.leftovers import nothing_left


async def test_a_connection_given_back_later_is_closed_as_well(tmp_path: Path) -> None:
    async with nothing_left():
        engine = databases.create(Database(url=f"sqlite+aiosqlite:///{tmp_path}/file.db"))
        connection = await engine.connect()

        async def give_back() -> None:
            await asyncio.sleep(0.2)
            await connection.close()

        task = asyncio.create_task(give_back())
        await databases.close(engine)
        assert task.done()


async def test_a_connection_never_given_back_does_not_stop_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "CLOSE_SECONDS", 0.2)
    engine = databases.create(Database(url=f"sqlite+aiosqlite:///{tmp_path}/file.db"))
    connection = await engine.connect()
    began = time.monotonic()
    await databases.close(engine)
    assert 0.2 <= time.monotonic() - began < 5
    await connection.close()
