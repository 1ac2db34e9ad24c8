"""Advisory locks of Postgres, held until the transaction ends. SQLite has one writer and needs none."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class Lock(IntEnum):
    """Work that one process does at a time. The numbers must not change: two releases may run side by side."""

    MIGRATION = 0x1A7E_6A7E
    HOUSEKEEPING = 0x1A7E_B00C
    ROLLUP = 0x1A7E_DA75
    CHECK = 0x1A7E_C4EC
    IMPORT = 0x1A7E_16B0
    NOTICES = 0x1A7E_4071


async def acquire(connection: AsyncConnection, lock: Lock) -> None:
    """Wait for a lock; the connection's transaction holds it until it ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock.value})


async def try_acquire(connection: AsyncConnection, lock: Lock) -> bool:
    """Acquire a lock without waiting; False when another transaction holds it."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": lock.value}))
