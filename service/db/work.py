"""A unit of work: one transaction and its actor. Only the request or task boundary opens and commits it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.db import changes
from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.engine import consistent, retry_stale_plan

V = TypeVar("V")
Surface = Literal["console", "admin", "cli", "system"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an action came from. `address` is the client's IP address, or the host of a shell; `session` names the
    session of the console or the terminal of the shell, and is no secret."""

    surface: Surface = "system"
    address: str | None = None
    session: str | None = None


SYSTEM = Origin()
"""The origin of what the service does by itself."""


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """`actor` and `origin` are recorded in the audit trail: "cli:root", "admin:<token>", "console:<login>", "sandbox".

    `closing` is what runs before the commit, in this order: work that must take its locks last.
    """

    session: AsyncSession
    actor: str
    clock: Clock = database_clock
    origin: Origin = SYSTEM
    closing: list[Callable[[UnitOfWork], Awaitable[None]]] = field(default_factory=list, repr=False)

    async def now(self) -> datetime:
        """The database's time, without a plausibility check."""
        return await clocks.now(self.session, clocks.without_check(self.clock))

    async def checked_now(self) -> datetime:
        """The checked time, for packs, orders, refunds and vouchers. Raises ClockSuspect."""
        return await clocks.now(self.session, self.clock)


@asynccontextmanager
async def unit_of_work(
    engine: AsyncEngine, actor: str, clock: Clock = database_clock, origin: Origin = SYSTEM
) -> AsyncIterator[UnitOfWork]:
    """Open a unit of work; it commits when the block ends and performs a rollback when the block raises.

    Raises Misuse for an invalid value, or a conflict with a concurrent transaction.
    """
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            unit = UnitOfWork(session, actor, clock, origin)
            yield unit
            for step in unit.closing:
                await step(unit)
    except (StatementError, OverflowError, UnicodeEncodeError) as error:
        raise changes.refusal_of(error) or error from error


@asynccontextmanager
async def read_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A read-only session; on SQLite it does not block writers. Raises Misuse for an invalid value."""
    try:
        async with AsyncSession(engine.execution_options(read_only=True), expire_on_commit=False) as session:
            yield session
    except (StatementError, OverflowError, UnicodeEncodeError) as error:
        raise changes.refusal_of(error) or error from error


async def read(engine: AsyncEngine, query: Callable[[AsyncSession], Awaitable[V]]) -> V:
    """The result of `query` in a read-only session, with a retry after a migration made its statements invalid."""

    async def once() -> V:
        async with read_session(engine) as session:
            return await query(session)

    return await retry_stale_plan(once)


@asynccontextmanager
async def snapshot_session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A read-only session whose queries see one snapshot of the database."""
    reader = consistent(engine).execution_options(read_only=True)
    async with AsyncSession(reader, expire_on_commit=False) as session:
        yield session
