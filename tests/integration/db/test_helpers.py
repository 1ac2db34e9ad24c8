"""Helpers for both databases: locks, upserts, read-only connections, columns that are set or cleared."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.models import Account
from inkgate.service.db import ids, locks, upsert, work
from inkgate.service.db.changes import add, set_or_clear
from inkgate.service.db.engine import consistent, reading_connection
from inkgate.service.db.locks import Lock
from inkgate.service.usage.models import UNKNOWN_ID, RefusalRow, RollupStateRow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = ("hour", "app_id", "capability", "code", "account_id")
REFUSED: dict[str, Any] = {
    **dict(zip(KEY, (NOW, UNKNOWN_ID, "general", 40003, UNKNOWN_ID), strict=True)),
    "calls": 2,
}


async def calls(engine: AsyncEngine) -> int:
    async with reading_connection(engine) as connection:
        return int(await connection.scalar(select(func.sum(RefusalRow.calls))) or 0)


async def run(engine: AsyncEngine, statement: Any, row: dict[str, Any]) -> None:
    async with engine.begin() as connection:
        await connection.execute(statement, row)


async def test_insert_or_add_adds_to_an_existing_row(engine: AsyncEngine) -> None:
    statement = upsert.insert_or_add(engine.dialect.name, RefusalRow, KEY, ("calls",))
    await run(engine, statement, REFUSED)
    await run(engine, statement, REFUSED | {"calls": 5})
    assert await calls(engine) == 7


async def test_insert_or_ignore_keeps_an_existing_row(engine: AsyncEngine) -> None:
    statement = upsert.insert_or_ignore(engine.dialect.name, RefusalRow)
    await run(engine, statement, REFUSED)
    await run(engine, statement, REFUSED | {"calls": 5})
    assert await calls(engine) == 2


async def test_insert_or_replace_overwrites_an_existing_row(engine: AsyncEngine) -> None:
    statement = upsert.insert_or_replace(engine.dialect.name, RollupStateRow, ("id",), ("until",))
    for until in (NOW, NOW - timedelta(days=1)):
        await run(engine, statement, {"id": 1, "until": until})
    async with reading_connection(engine) as connection:
        assert (await connection.scalars(select(RollupStateRow.until))).all() == [NOW - timedelta(days=1)]


async def test_a_lock_keeps_others_out_until_its_transaction_ends(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        async with engine.begin() as connection:
            await locks.acquire(connection, Lock.CHECK)
            assert await locks.try_acquire(connection, Lock.CHECK)
        return
    async with engine.connect() as first, engine.connect() as second:
        await locks.acquire(first, Lock.CHECK)
        assert not await locks.try_acquire(second, Lock.CHECK)
        assert await locks.try_acquire(second, Lock.ROLLUP), "each lock is one of its own"
        waiting = asyncio.create_task(locks.acquire(second, Lock.CHECK))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await first.rollback()
        await asyncio.wait_for(waiting, 30)


async def test_a_reading_connection_waits_for_no_writer(engine: AsyncEngine) -> None:
    async with engine.begin() as writer:
        await writer.execute(upsert.insert_or_ignore(engine.dialect.name, RefusalRow), REFUSED)
        assert await calls(engine) == 0
    assert await calls(engine) == 2


async def test_a_reading_connection_is_not_the_writer(engine: AsyncEngine) -> None:
    """SQLite: a transaction that began with a read fails immediately on a write."""
    if engine.dialect.name != "sqlite":
        pytest.skip("Postgres has as many writers as connections")
    async with reading_connection(engine) as connection:
        await connection.execute(select(RefusalRow.calls))
        await run(engine, upsert.insert_or_ignore("sqlite", RefusalRow), REFUSED)
        with pytest.raises(OperationalError, match="locked"):
            await connection.execute(upsert.insert_or_ignore("sqlite", RefusalRow), REFUSED | {"code": 40001})


async def test_a_consistent_transaction_sees_one_state(engine: AsyncEngine) -> None:
    async with consistent(engine).execution_options(read_only=True).connect() as connection:
        first = await connection.scalar(select(func.count()).select_from(RefusalRow))
        await run(engine, upsert.insert_or_ignore(engine.dialect.name, RefusalRow), REFUSED)
        assert first == await connection.scalar(select(func.count()).select_from(RefusalRow)) == 0
    assert await calls(engine) == 2


async def test_a_column_is_set_once_and_cleared_once(engine: AsyncEngine) -> None:
    async with work.unit_of_work(engine, "test") as unit:
        row = Account(id=ids.new(), name="one", created_at=NOW)
        await add(unit.session, row)
        found = [
            await set_or_clear(unit.session, Account.suspended_at, at, Account.id == row.id)
            for at in (None, NOW, NOW + timedelta(days=1), None, None)
        ]
        assert found == [False, True, False, True, False]
        assert not await set_or_clear(unit.session, Account.suspended_at, NOW, Account.id == ids.new())
