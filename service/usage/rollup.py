"""Days made of hours, aside from settling. Any number of processes may run it, and again: a day comes out the same.

Once an hour is over it is added to its day, by making the whole day anew. Readers take days up to `usage_rolled.until`
and hours from there on, whatever else is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, delete, func, insert, literal, select, text, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.accounts.models import AppRow
from inkgate.service.db import clock as clocks
from inkgate.service.db.base import UtcDateTime
from inkgate.service.db.clock import BEIJING, Clock, database_clock
from inkgate.service.usage import latency
from inkgate.service.usage.models import (
    ALL_CODES,
    BY_APP,
    BY_APP_AND_CODE,
    BY_OWNER,
    BY_OWNER_AND_CODE,
    DayRow,
    HourRow,
    RefusalRow,
    RolledRow,
)

DAY = timedelta(days=1)
SETTLED = timedelta(minutes=5)
"""How long after an hour every transaction that belongs to it is through."""

AGAIN = timedelta(hours=2)
"""A day that ended less than this ago is made once more, for what came late."""

LOCK = 0x1A7E_DA75
SUMS = ("calls", "images", "failed_images", "units", "body_bytes", "duration_ms")
KEY = ("account_id", "app_id", "capability", "code")
MEASURES = (*SUMS, "refused", *latency.COLUMNS)


@lru_cache(4096)
def day_of(moment: datetime) -> datetime:
    """The instant at which the day of Beijing began that `moment` lies in."""
    return moment.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)


async def roll(engine: AsyncEngine, clock: Clock = database_clock) -> int:
    """Add the hours that are over to their days, one transaction a day. Returns how many days were made.

    When the clock was set back behind what is summed up, days go back with it.
    """
    async with engine.connect() as connection:
        connection = await connection.execution_options(read_only=True)
        end = _hour(await clocks.now(connection, clock) - SETTLED)
        day = await _first_day(connection, end)
    count = 0
    while day is not None and day < end:
        async with engine.begin() as connection:
            count += await _roll(connection, day, min(day + DAY, end), end)
        day += DAY
    return count


async def _first_day(connection: AsyncConnection, end: datetime) -> datetime | None:
    """Where to begin; None when all is summed up up to `end`, or there is nothing."""
    until = await connection.scalar(select(RolledRow.until))
    if until is not None:
        return None if until == end else day_of(min(until, end) - AGAIN)
    firsts = [await connection.scalar(select(func.min(row.hour))) for row in (HourRow, RefusalRow)]
    return min((day_of(each) for each in firsts if each is not None), default=None)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


async def _roll(connection: AsyncConnection, day: datetime, until: datetime, end: datetime) -> bool:
    """Make one day of its hours before `until`, unless another process just did."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    rolled = await connection.scalar(select(RolledRow.until))
    if rolled == end:
        return False
    await connection.execute(delete(DayRow).where(DayRow.day >= day, DayRow.day < day + DAY))
    await _insert(connection, BY_APP_AND_CODE, day, _of_hours(day, until))
    await _insert(connection, BY_APP, day, _coarser(BY_APP_AND_CODE, day, owners=False, codes=False))
    await _insert(connection, BY_OWNER_AND_CODE, day, _coarser(BY_APP_AND_CODE, day, owners=True, codes=True))
    await _insert(connection, BY_OWNER, day, _coarser(BY_OWNER_AND_CODE, day, owners=False, codes=False))
    await _say(connection, until)
    return True


async def _insert(connection: AsyncConnection, level: int, day: datetime, query: Select[Any]) -> None:
    rows = query.add_columns(literal(level, Integer), literal(day, UtcDateTime()))
    await connection.execute(insert(DayRow).from_select([*KEY, *MEASURES, "level", "day"], rows))


def _of_hours(day: datetime, until: datetime) -> Select[Any]:
    parts = []
    for row in (HourRow, RefusalRow):
        columns = (*(getattr(row, name) for name in KEY), *measures(row, MEASURES))
        parts.append(select(*columns).where(row.hour >= day, row.hour < until))
    both = union_all(*parts).subquery()
    keys = [both.c[name] for name in KEY]
    return select(*keys, *(func.sum(both.c[name]) for name in MEASURES)).group_by(*keys).order_by(*keys)


def _coarser(level: int, day: datetime, *, owners: bool, codes: bool) -> Select[Any]:
    """A level of a day summed up further: apps into the accounts that own them, and codes into one row."""
    app = func.coalesce(AppRow.account_id, DayRow.account_id) if owners else DayRow.app_id
    keys: list[Any] = [DayRow.account_id, app, DayRow.capability, *([DayRow.code] if codes else [])]
    code: Any = DayRow.code if codes else literal(ALL_CODES, Integer)
    query = select(*keys[:3], code, *(func.sum(getattr(DayRow, name)) for name in MEASURES)).group_by(*keys)
    if owners:
        query = query.outerjoin(AppRow, AppRow.id == DayRow.app_id)
    return query.where(DayRow.level == level, DayRow.day == day).order_by(*keys)


def measures(row: Any, names: tuple[str, ...]) -> list[Any]:
    """Columns of hours, refused calls or days under the same names; zeros for what a table does not have."""
    found = []
    for name in names:
        if row is RefusalRow:
            found.append(RefusalRow.calls.label(name) if name == "refused" else literal(0, Integer).label(name))
        elif row is HourRow and name == "refused":
            found.append(literal(0, Integer).label(name))
        else:
            found.append(getattr(row, name).label(name))
    return found


async def _say(connection: AsyncConnection, until: datetime) -> None:
    table: Any = RolledRow.__table__
    statement = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    values = {"id": 1, "until": until}
    await connection.execute(
        statement.values(values).on_conflict_do_update(index_elements=["id"], set_={"until": statement.excluded.until})
    )
