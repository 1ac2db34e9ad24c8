"""Time comes from the database, so that all gateways agree. Tests pass a `Clock` that bends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.elements import ColumnElement

Clock = Callable[[datetime], datetime]
"""From the database's time to the time that counts. In production: the same."""

BEIJING = timezone(timedelta(hours=8), "UTC+8")
"""The zone in which years of validity and days of statistics are counted."""


def database_clock(now: datetime) -> datetime:
    """The database's time, unchanged."""
    return now


def now_column(dialect: str) -> ColumnElement[object]:
    """The database's wall clock as a column: not the start of the transaction, which may be long before a lock."""
    if dialect == "sqlite":
        return literal_column("strftime('%Y-%m-%d %H:%M:%f', 'now')")
    return func.clock_timestamp()


def parse(value: object) -> datetime:
    """What `now_column` gave, as an aware datetime in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)


async def now(session: AsyncSession | AsyncConnection, clock: Clock = database_clock) -> datetime:
    """The time by the database, through `clock`."""
    connection = await session.connection() if isinstance(session, AsyncSession) else session
    return clock(parse(await connection.scalar(select(now_column(connection.dialect.name)))))


def a_year_after(start: datetime) -> datetime:
    """The same second of the next year by the calendar of Beijing; 29 February becomes 28 February."""
    local = start.astimezone(BEIJING)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year + 1, day=day).astimezone(UTC)
