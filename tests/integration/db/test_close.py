"""Closing an engine waits for connections that are still to be given back, and not for ever."""

from __future__ import annotations

import ast
import asyncio
import time
from pathlib import Path

import pytest

from inkgate import service
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


async def test_an_opened_engine_is_closed_after_an_error(tmp_path: Path) -> None:
    """A connection that is given back after the error is closed too."""
    async with nothing_left():
        task: asyncio.Task[None] | None = None
        with pytest.raises(ZeroDivisionError):
            async with databases.opened(Database(url=f"sqlite+aiosqlite:///{tmp_path}/file.db")) as engine:
                connection = await engine.connect()

                async def give_back() -> None:
                    await asyncio.sleep(0.2)
                    await connection.close()

                task = asyncio.create_task(give_back())
                raise ZeroDivisionError
        assert task is not None and task.done()


def test_no_other_module_disposes_of_an_engine() -> None:
    """`dispose` alone leaves the connections that are given back after it."""
    root = Path(service.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "dispose"
    }
    assert found == {"db/engine.py"}
