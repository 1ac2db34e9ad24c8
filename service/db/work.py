"""A unit of work: one transaction, and who acts in it. Services take it; only the boundary opens and commits it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.db import changes
from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import consistent


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """`actor` is what the audit trail writes down: "cli:root", "admin:<token>", "console:<login>", "sandbox"."""

    session: AsyncSession
    actor: str
    clock: Clock = database_clock

    async def now(self) -> datetime:
        """The time by the database (through the clock that a test may bend), right or wrong."""
        return await clocks.now(self.session, clocks.without_check(self.clock))

    async def checked_now(self) -> datetime:
        """The time by which money goes: packs, orders, refunds, vouchers. Raises ClockSuspect."""
        return await clocks.now(self.session, self.clock)


@asynccontextmanager
async def unit_of_work(engine: AsyncEngine, actor: str, clock: Clock = database_clock) -> AsyncIterator[UnitOfWork]:
    """Open a unit of work; it commits when the block ends and rolls back when the block raises.

    Raises Misuse when the database refuses a value, or a row that somebody else made meanwhile.
    """
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            yield UnitOfWork(session, actor, clock)
    except (StatementError, OverflowError, UnicodeEncodeError) as error:
        raise changes.refusal_of(error) or error from error


@asynccontextmanager
async def read_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session that only reads; on SQLite it keeps no writer waiting. Raises Misuse for a value of no column."""
    try:
        async with AsyncSession(engine.execution_options(read_only=True), expire_on_commit=False) as session:
            yield session
    except (StatementError, OverflowError, UnicodeEncodeError) as error:
        raise changes.refusal_of(error) or error from error


@asynccontextmanager
async def snapshot_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session that only reads, and whose queries all see the database at one instant."""
    reader = consistent(engine).execution_options(read_only=True)
    async with AsyncSession(reader, expire_on_commit=False) as session:
        yield session
