"""Days made of hours, aside from settling. Any number of processes may run it, and again: a day comes out the same.

Once an hour is over it is added to its day, by making the whole day anew. Readers take days up to `usage_rolled.until`
and hours from there on, whatever else is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.db import clock as clocks
from inkgate.service.db import locks
from inkgate.service.db.clock import BEIJING, Clock, database_clock, hour_of
from inkgate.service.db.engine import reading_connection
from inkgate.service.db.locks import Lock
from inkgate.service.usage import rollup_repository as repository

DAY = timedelta(days=1)
SETTLE_MARGIN = timedelta(minutes=5)
"""How long after an hour every transaction that belongs to it is through."""

RESUM_WINDOW = timedelta(hours=2)
"""A day that ended less than this ago is made once more, for what came late."""


@lru_cache(4096)
def day_of(moment: datetime) -> datetime:
    """The instant at which the day of Beijing began that `moment` lies in."""
    return moment.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)


async def roll_up(engine: AsyncEngine, clock: Clock = database_clock) -> int:
    """Add the hours that are over to their days, one transaction a day. Returns how many days were made.

    When the clock was set back behind what is summed up, days go back with it.
    """
    async with reading_connection(engine) as connection:
        end = hour_of(await clocks.now(connection, clock) - SETTLE_MARGIN)
        day = await _first_day(connection, end)
    count = 0
    while day is not None and day < end:
        async with engine.begin() as connection:
            count += await _roll_up_day(connection, day, min(day + DAY, end), end)
        day += DAY
    return count


async def _first_day(connection: AsyncConnection, end: datetime) -> datetime | None:
    """Where to begin; None when all is summed up up to `end`, or there is nothing."""
    until = await repository.rolled_until(connection)
    if until is not None:
        return None if until == end else day_of(min(until, end) - RESUM_WINDOW)
    return min(map(day_of, await repository.first_hours(connection)), default=None)


async def _roll_up_day(connection: AsyncConnection, day: datetime, until: datetime, end: datetime) -> bool:
    """Make one day of its hours before `until`, unless another process just did."""
    await locks.acquire(connection, Lock.ROLLUP)
    if await repository.rolled_until(connection) == end:
        return False
    await repository.replace_day(connection, day, day + DAY, until)
    await repository.set_rolled_until(connection, until)
    return True
