"""Run two transactions in a defined order on a real Postgres, without sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse

Act = Callable[[UnitOfWork], Awaitable[Any]]
PATIENCE = 60.0  # seconds; a machine under load is slow, a lock that is never asked for is a fault
BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
)


@dataclass(frozen=True)
class Outcome:
    """What came of the two: a value, or the Misuse that refused it."""

    first: Any
    second: Any


async def overlapping(engine: AsyncEngine, first: Act, second: Act, clock: Clock = database_clock) -> Outcome:
    """`first` acts and does not commit; `second` acts until it waits for a lock of `first` (or is through); then
    `first` commits."""
    begun: asyncio.Task[Any] | None = None
    async with work.unit_of_work(engine, "first", clock) as unit:
        done = await first(unit)
        await unit.session.flush()
        begun = asyncio.ensure_future(attempt(engine, "second", second, clock))
        await _blocked_or_done(engine, begun)
    return Outcome(done, await asyncio.wait_for(begun, PATIENCE))


async def after_a_look(
    engine: AsyncEngine, look: Act, first: Act, second: Act, clock: Clock = database_clock
) -> Outcome:
    """`second`'s transaction looks at the rows; `first` acts and commits; then `second` acts on what it saw."""
    done: Any = None
    try:
        async with work.unit_of_work(engine, "second", clock) as unit:
            held = await look(unit)  # keeps the rows in the session, as a page that checks the owner does
            done = await attempt(engine, "first", first, clock)
            late = await second(unit)
            del held
    except Misuse as refused:
        return Outcome(done, refused)
    return Outcome(done, late)


async def attempt(engine: AsyncEngine, actor: str, act: Act, clock: Clock = database_clock) -> Any:
    """The act in a transaction of its own; the Misuse that refused it, when one did."""
    try:
        async with work.unit_of_work(engine, actor, clock) as unit:
            return await act(unit)
    except Misuse as refused:
        return refused


async def _blocked_or_done(engine: AsyncEngine, task: asyncio.Task[Any]) -> None:
    give_up = time.monotonic() + PATIENCE
    async with engine.connect() as watch:
        while not task.done():
            if await watch.scalar(BLOCKED):
                return
            await watch.rollback()
            assert time.monotonic() < give_up, "the second transaction neither waits nor ends"
            await asyncio.sleep(0.01)
