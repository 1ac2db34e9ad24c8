"""Rollup of hours into days. Idempotent; any number of processes may run it.

When an hour has ended, the totals of its day are computed again. Readers use days before `usage_rolled.until` and hours
from there on.
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
"""Time after the end of an hour by which all its transactions have committed."""

RESUM_WINDOW = timedelta(hours=2)
"""A day that ended less than this ago is computed once more, for late entries."""


@lru_cache(4096)
def day_of(moment: datetime) -> datetime:
    """The start of the day (Beijing time) in which `moment` lies."""
    return moment.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)


async def roll_up(engine: AsyncEngine, clock: Clock = database_clock) -> int:
    """Add the hours that have ended to their days, one transaction per day. Returns the number of days computed.

    When the clock was set back before the end of the rollup, days after the new time are computed again.
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
    """The first day to compute; None when everything up to `end` is rolled up, or there is no hour."""
    until = await repository.rolled_until(connection)
    if until is not None:
        return None if until == end else day_of(min(until, end) - RESUM_WINDOW)
    return min(map(day_of, await repository.first_hours(connection)), default=None)


async def _roll_up_day(connection: AsyncConnection, day: datetime, until: datetime, end: datetime) -> bool:
    """Compute one day from its hours before `until`, unless another process just did."""
    await locks.acquire(connection, Lock.ROLLUP)
    if await repository.rolled_until(connection) == end:
        return False
    await repository.replace_day(connection, day, day + DAY, until)
    await repository.set_rolled_until(connection, until)
    return True
