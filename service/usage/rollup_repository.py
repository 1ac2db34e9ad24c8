"""Statements that compute rows of `usage_day` from the hours, within the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, delete, func, insert, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from inkgate.service.accounts.models import AppRow
from inkgate.service.db import upsert
from inkgate.service.db.base import UtcDateTime
from inkgate.service.usage import latency
from inkgate.service.usage.models import (
    ALL_CODES,
    BASE_MEASURES,
    BY_APP,
    BY_APP_AND_CODE,
    BY_OWNER,
    BY_OWNER_AND_CODE,
    DayRow,
    HourRow,
    RefusalRow,
    RollupStateRow,
)

KEY = ("account_id", "app_id", "capability", "code")
MEASURES = (*BASE_MEASURES, "refused", *latency.COLUMNS)


async def rolled_until(connection: AsyncConnection) -> datetime | None:
    """The time up to which hours are rolled up; None before the first rollup."""
    until: datetime | None = await connection.scalar(select(RollupStateRow.until))
    return until


async def set_rolled_until(connection: AsyncConnection, until: datetime) -> None:
    """Store the time up to which hours are rolled up."""
    statement = upsert.insert_or_replace(connection.dialect.name, RollupStateRow, ("id",), ("until",))
    await connection.execute(statement, {"id": 1, "until": until})


async def first_hours(connection: AsyncConnection) -> list[datetime]:
    """The first hour of settled calls and the first of refused ones, each where there is one."""
    firsts = [await connection.scalar(select(func.min(row.hour))) for row in (HourRow, RefusalRow)]
    return [each for each in firsts if each is not None]


async def replace_day(connection: AsyncConnection, day: datetime, next_day: datetime, until: datetime) -> None:
    """Replace every level of a day, computed from its hours before `until`."""
    await connection.execute(delete(DayRow).where(DayRow.day >= day, DayRow.day < next_day))
    await _insert(connection, BY_APP_AND_CODE, day, _sum_hours(day, until))
    await _insert(connection, BY_APP, day, _aggregate_level(BY_APP_AND_CODE, day, owners=False, codes=False))
    await _insert(connection, BY_OWNER_AND_CODE, day, _aggregate_level(BY_APP_AND_CODE, day, owners=True, codes=True))
    await _insert(connection, BY_OWNER, day, _aggregate_level(BY_OWNER_AND_CODE, day, owners=False, codes=False))


def measures(row: Any, names: tuple[str, ...]) -> list[Any]:
    """Columns of hours, refused calls or days under the same names; zero for columns that a table does not have."""
    found = []
    for name in names:
        if row is RefusalRow:
            found.append(RefusalRow.calls.label(name) if name == "refused" else literal(0, Integer).label(name))
        elif row is HourRow and name == "refused":
            found.append(literal(0, Integer).label(name))
        else:
            found.append(getattr(row, name).label(name))
    return found


async def _insert(connection: AsyncConnection, level: int, day: datetime, query: Select[Any]) -> None:
    rows = query.add_columns(literal(level, Integer), literal(day, UtcDateTime()))
    await connection.execute(insert(DayRow).from_select([*KEY, *MEASURES, "level", "day"], rows))


def _sum_hours(day: datetime, until: datetime) -> Select[Any]:
    parts = []
    for row in (HourRow, RefusalRow):
        columns = (*(getattr(row, name) for name in KEY), *measures(row, MEASURES))
        parts.append(select(*columns).where(row.hour >= day, row.hour < until))
    both = union_all(*parts).subquery()
    keys = [both.c[name] for name in KEY]
    return select(*keys, *(func.sum(both.c[name]) for name in MEASURES)).group_by(*keys).order_by(*keys)


def _aggregate_level(level: int, day: datetime, *, owners: bool, codes: bool) -> Select[Any]:
    """Aggregate a level of a day further: apps into the accounts that own them (`owners`), codes into one row."""
    app = func.coalesce(AppRow.account_id, DayRow.account_id) if owners else DayRow.app_id
    keys: list[Any] = [DayRow.account_id, app, DayRow.capability, *([DayRow.code] if codes else [])]
    code: Any = DayRow.code if codes else literal(ALL_CODES, Integer)
    query = select(*keys[:3], code, *(func.sum(getattr(DayRow, name)) for name in MEASURES)).group_by(*keys)
    if owners:
        query = query.outerjoin(AppRow, AppRow.id == DayRow.app_id)
    return query.where(DayRow.level == level, DayRow.day == day).order_by(*keys)
