"""Queries over the hourly sums, for consoles and operators (manual 3.3, 4.3; M12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from service.usage.models import HourRow, RecordRow

DIMENSIONS: dict[str, InstrumentedAttribute[Any]] = {
    "app": HourRow.app_id,
    "capability": HourRow.capability,
    "code": HourRow.code,
    "account": HourRow.account_id,
}


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over some hours. `key` holds the values of the dimensions asked for, in their order."""

    key: tuple[str | int, ...]
    calls: int
    images: int
    failed_images: int
    units: int
    body_bytes: int
    duration_ms: int

    @property
    def mean_ms(self) -> float:
        """Mean duration of a call in milliseconds, 0 without calls."""
        return self.duration_ms / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Which hours: of a main account (None: of all), some apps, a capability, from `since` up to `until` exclusive."""

    since: datetime
    until: datetime
    account_id: str | None = None
    app_ids: Sequence[str] | None = None
    capability: str | None = None


async def totals(session: AsyncSession, scope: Scope, by: Sequence[str] = ()) -> list[Sums]:
    """Sums by dimensions ("app", "capability", "code", "account"), most calls first. One row of zeros at worst."""
    columns = [DIMENSIONS[name] for name in by]
    query = _within(select(*columns, *_sums()), scope).group_by(*columns).order_by(func.sum(HourRow.calls).desc())
    rows = await session.execute(query)
    return [_read(tuple(row), len(columns)) for row in rows if row[len(columns)] is not None or not columns]


async def series(session: AsyncSession, scope: Scope, step: timedelta) -> list[tuple[datetime, Sums]]:
    """Sums over time in steps of whole hours from `since`; steps without calls are there, with zeros."""
    hours = int(step / timedelta(hours=1))
    if hours < 1:
        raise ValueError("a step is at least an hour")
    query = _within(select(HourRow.hour, *_sums()), scope).group_by(HourRow.hour)
    found: dict[int, list[int]] = {}
    for hour, *values in await session.execute(query):
        slot = found.setdefault(int((hour - scope.since) / step), [0] * len(values))
        for position, value in enumerate(values):
            slot[position] += int(value)
    count = -int(-(scope.until - scope.since) // step)
    return [
        (scope.since + number * step, Sums((), *found.get(number, [0] * 6))) for number in range(count)
    ]


async def records(
    session: AsyncSession, account_id: str, *, app_id: str | None = None, before_seq: int | None = None,
    capability: str, limit: int = 100,
) -> list[RecordRow]:
    """The latest lines of one capability of a main account, newest first; page on with `before_seq`."""
    query = select(RecordRow).where(RecordRow.account_id == account_id, RecordRow.capability == capability)
    if app_id is not None:
        query = query.where(RecordRow.app_id == app_id)
    if before_seq is not None:
        query = query.where(RecordRow.seq < before_seq)
    return list(await session.scalars(query.order_by(RecordRow.seq.desc()).limit(limit)))


def _within(query: Select[Any], scope: Scope) -> Select[Any]:
    query = query.where(HourRow.hour >= scope.since, HourRow.hour < scope.until)
    if scope.account_id is not None:
        query = query.where(HourRow.account_id == scope.account_id)
    if scope.app_ids is not None:
        query = query.where(HourRow.app_id.in_(scope.app_ids))
    if scope.capability is not None:
        query = query.where(HourRow.capability == scope.capability)
    return query


def _sums() -> list[Any]:
    names = ("calls", "images", "failed_images", "units", "body_bytes", "duration_ms")
    return [func.sum(getattr(HourRow, name)) for name in names]


def _read(row: tuple[Any, ...], keys: int) -> Sums:
    values = [int(value or 0) for value in row[keys:]]
    return Sums(tuple(value if isinstance(value, int) else str(value) for value in row[:keys]), *values)
