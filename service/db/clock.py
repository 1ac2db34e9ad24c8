"""Time comes from the database, so that all gateways agree. Tests pass a `Clock` that changes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from inkgate.service.errors import ClockSuspect

Clock = Callable[[datetime], datetime]
"""Maps the database's time to the effective time. In production: the same, after a check (`CheckedClock`)."""

MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""Largest clock difference at which calls are settled; INKGATE_LEDGER__CLOCK_JUMP_MINUTES."""

BEIJING = timezone(timedelta(hours=8), "UTC+8")
"""The time zone of validity periods and daily totals."""


ALLOWED_DRIFT_RATE = 0.001
"""Permitted clock correction in seconds per second since the last reading."""


def database_clock(now: datetime) -> datetime:
    """The database's time, unchanged."""
    return now


def _elapsed() -> float:
    """Monotonic seconds, including suspended time where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class CheckedClock:
    """The database's time, after a plausibility check. One instance per process.

    A reading is accepted when the database's clock and this machine's agree within `bound`, and this machine's clock
    was not set by more than `bound` since the last accepted reading. The second condition is needed where both run on
    one machine. Readings are refused until the clock is correct again or the process is restarted.
    """

    def __init__(
        self,
        bound: timedelta = MAX_CLOCK_DIFFERENCE,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
    ) -> None:
        self.bound, self._wall, self._elapsed = bound, wall, elapsed
        self._read = elapsed()
        self._offset = wall() - self._read

    def __call__(self, database: datetime) -> datetime:
        """`database`, unchanged. Raises ClockSuspect."""
        wall, elapsed = self._wall(), self._elapsed()
        skew, unread = database.timestamp() - wall, elapsed - self._read
        self._read = elapsed
        if abs(skew) > self.bound.total_seconds():
            raise ClockSuspect("database", f"the database's clock is {_format_duration(skew)} of this machine's")
        self._judge_own(wall - elapsed, unread)
        self._offset = wall - elapsed
        return database

    async def check(self) -> None:
        """Readiness check: raises ClockSuspect while this machine's clock is wrong.

        A wrong time of the database or of a meter does not make a gateway unready: it affects all gateways alike, and
        none would be ready.
        """
        elapsed = self._elapsed()
        self._judge_own(self._wall() - elapsed, elapsed - self._read)

    def _judge_own(self, offset: float, unread: float) -> None:
        """Raise ClockSuspect when this machine's clock, `offset` seconds from the time elapsed, was set since the last
        accepted reading; `unread` seconds have passed since the last reading."""
        step = offset - self._offset
        if abs(step) > self.bound.total_seconds() + ALLOWED_DRIFT_RATE * unread:
            raise ClockSuspect("own", f"this machine's clock was set {_format_duration(step)} of where it was")


def without_check(clock: Clock) -> Clock:
    """The clock without its check, for operations that must work while settlement is blocked (sign-in, audit trail)."""
    return database_clock if isinstance(clock, CheckedClock) else clock


def monotonic_now(now: datetime, last: datetime, clock: Clock) -> datetime:
    """`now`, or `last` (the time of the last settlement) if that is later.

    Raises ClockSuspect when `last` is later by more than the bound: one of the two readings is wrong.
    """
    bound = clock.bound if isinstance(clock, CheckedClock) else MAX_CLOCK_DIFFERENCE
    if last - now > bound:
        raise ClockSuspect(
            "meter",
            f"the last settlement lies {_format_duration((last - now).total_seconds())} of now; when the clocks are "
            "right, run: inkgate ledger repair-clock",
        )
    return max(last, now)


def _format_duration(seconds: float) -> str:
    return f"{timedelta(seconds=round(abs(seconds)))} {'ahead' if seconds > 0 else 'behind'}"


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


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour that a moment lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def one_year_later(start: datetime) -> datetime:
    """The same second of the next year by the calendar of Beijing; 29 February becomes 28 February."""
    local = start.astimezone(BEIJING)
    day = 28 if (local.month, local.day) == (2, 29) else local.day
    return local.replace(year=local.year + 1, day=day).astimezone(UTC)
