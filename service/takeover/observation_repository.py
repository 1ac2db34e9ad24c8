"""Statements on the figures and differing values of mirrored calls, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.db import upsert
from inkgate.service.takeover.observation_models import DifferenceRow, FigureRow

FIGURE_KEY = ("app_id", "capability", "day", "measure")
DIFFERENCE_KEY = ("app_id", "capability", "day", "field", "slot")
MAX_FIGURES = 200_000
"""Sums that one report reads; about 130 of an app and capability."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls: days from `since` up to `until` exclusive (their starts), of one app, capability, account or all."""

    since: datetime
    until: datetime
    app_id: str | None = None
    capability: str | None = None
    account_id: str | None = None
    app_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """One sum of an app and capability over a selection. Names are "" for an app that is no longer there."""

    app_id: str
    app_name: str
    account_name: str
    capability: str
    measure: str
    count: int


@dataclass(frozen=True, slots=True)
class ValuePair:
    """Two different values of a field, "" where one side has none; how often they came, and when last."""

    app_id: str
    capability: str
    field: str
    cloud: str
    local: str
    count: int
    last_at: datetime


async def add_figures(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the sums, one row per value of FIGURE_KEY."""
    statement = upsert.insert_or_add(connection.dialect.name, FigureRow, FIGURE_KEY, ("count",))
    await connection.execute(statement, _sorted(rows, FIGURE_KEY))


async def add_differences(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the counts of pairs of values; a pair whose slot holds another one is left out."""
    statement = upsert.insert_or_add(
        connection.dialect.name, DifferenceRow, DIFFERENCE_KEY, ("count",), same=("cloud", "local"), latest=("last_at",)
    )
    await connection.execute(statement, _sorted(rows, DIFFERENCE_KEY))


async def sums(session: AsyncSession, selection: Selection) -> list[Sum]:
    """All sums of a selection, by app and capability; at most MAX_FIGURES."""
    query = (
        select(FigureRow.app_id, AppRow.name, Account.name, FigureRow.capability, FigureRow.measure)
        .add_columns(func.sum(FigureRow.count))
        .outerjoin(AppRow, AppRow.id == FigureRow.app_id)
        .outerjoin(Account, Account.id == AppRow.account_id)
        .group_by(FigureRow.app_id, AppRow.name, Account.name, FigureRow.capability, FigureRow.measure)
        .order_by(FigureRow.app_id, FigureRow.capability, FigureRow.measure)
        .limit(MAX_FIGURES)
    )
    rows = await session.execute(_selected(query, FigureRow, selection))
    return [
        Sum(str(app_id), app or "", account or "", capability, measure, int(count))
        for app_id, app, account, capability, measure, count in rows
    ]


async def busiest(session: AsyncSession, selection: Selection, measure: str) -> list[tuple[str, str]]:
    """(app id, capability) with this measure in a selection, those with the largest sum first."""
    count = func.sum(FigureRow.count)
    query = select(FigureRow.app_id).add_columns(FigureRow.capability).where(FigureRow.measure == measure)
    query = query.group_by(FigureRow.app_id, FigureRow.capability).order_by(count.desc(), FigureRow.app_id)
    rows = await session.execute(_selected(query, FigureRow, selection).limit(MAX_FIGURES))
    return [(str(app_id), capability) for app_id, capability in rows]


async def differences(
    session: AsyncSession, selection: Selection, *, field: str | None = None, limit: int = 100, offset: int = 0
) -> list[ValuePair]:
    """Pairs of differing values with their counts over all days, the most frequent ones first."""
    key = tuple(getattr(DifferenceRow, name) for name in ("app_id", "capability", "field", "cloud", "local"))
    count, last_at = func.sum(DifferenceRow.count), func.max(DifferenceRow.last_at)
    query = _selected(select(*key, count, last_at), DifferenceRow, selection).group_by(*key)
    if field is not None:
        query = query.where(DifferenceRow.field == field)
    rows = await session.execute(query.order_by(count.desc(), last_at.desc(), *key).limit(limit).offset(offset))
    return [
        ValuePair(str(app_id), capability, name, cloud, local, int(number), last)
        for app_id, capability, name, cloud, local, number, last in rows
    ]


async def remove_before(connection: AsyncConnection, figures: datetime, differences: datetime) -> None:
    """Delete sums of days before `figures`, and pairs of values of days before `differences`."""
    await connection.execute(delete(FigureRow).where(FigureRow.day < figures))
    await connection.execute(delete(DifferenceRow).where(DifferenceRow.day < differences))


async def remove_personal(connection: AsyncConnection) -> None:
    """Delete all pairs of personal values."""
    await connection.execute(delete(DifferenceRow).where(DifferenceRow.personal))


def _selected(query: Select[Any], row: type[FigureRow] | type[DifferenceRow], selection: Selection) -> Select[Any]:
    query = query.where(row.day >= selection.since, row.day < selection.until)
    for name in ("app_id", "capability", "account_id"):
        value = getattr(selection, name)
        if value is not None:
            query = query.where(getattr(row, name) == value)
    if selection.app_ids is not None:
        query = query.where(row.app_id.in_(selection.app_ids))
    return query


def _sorted(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[Mapping[str, Any]]:
    """Rows by their key, so that two gateways lock them in the same order."""
    return sorted(rows, key=lambda row: [str(row[name]) for name in key])
