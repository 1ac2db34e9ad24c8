"""Queries of what reconciliation has stored: the progress of its passes and what they found."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inkgate.service.metering.models import CheckPackRow, CheckRow, MeterRow, PackRow

INCREMENTAL, FULL_RECHECK = 0, 1  # the passes

Key = tuple[str, str]  # main account, capability


async def drift_of(connection: AsyncConnection, key: Key, kind: int) -> int:
    """Drift in units between the packs of a meter and a completed pass."""
    query = _drift_query(kind).where(PackRow.account_id == key[0], PackRow.capability == key[1])
    return int(await connection.scalar(query) or 0)


def _drift_query(kind: int) -> Select[Any]:
    sums = and_(CheckPackRow.pack_id == PackRow.id, CheckPackRow.kind == kind)
    gap = func.abs(PackRow.used - func.coalesce(CheckPackRow.units, 0))
    return select(func.sum(gap)).select_from(PackRow).outerjoin(CheckPackRow, sums)


async def total_drift(connection: AsyncConnection) -> int:
    """Drift of all meters in units. Meters read completely are compared with their packs now; for meters with newer
    entries the result of their last step counts. The drift of the recheck is returned if it is larger."""
    meter = and_(MeterRow.account_id == PackRow.account_id, MeterRow.capability == PackRow.capability)
    at_rest = (
        _drift_query(INCREMENTAL)
        .join(MeterRow, meter)
        .join(CheckRow, and_(*joined(INCREMENTAL)))
        .where(CheckRow.seq == MeterRow.seq)
    )
    moving = (
        select(func.sum(CheckRow.drift)).join(MeterRow, and_(*joined(INCREMENTAL))).where(CheckRow.seq < MeterRow.seq)
    )
    unmetered = select(func.sum(PackRow.used)).where(~exists().where(meter))
    again = select(func.sum(CheckRow.drift)).where(CheckRow.kind == FULL_RECHECK)
    new = sum([int(await connection.scalar(query) or 0) for query in (at_rest, moving, unmetered)])
    return max(new, int(await connection.scalar(again) or 0))


async def total_broken(connection: AsyncConnection) -> int:
    """Entries that the rechecks found missing or changed, in all meters."""
    query = select(func.sum(CheckRow.broken)).where(CheckRow.kind == FULL_RECHECK)
    return int(await connection.scalar(query) or 0)


async def backlog(connection: AsyncConnection) -> int:
    """The number of entries not read yet."""
    read = func.coalesce(CheckRow.seq, MeterRow.archived_lines)
    query = select(func.sum(MeterRow.seq - read)).select_from(MeterRow).outerjoin(CheckRow, and_(*joined(INCREMENTAL)))
    return max(0, int(await connection.scalar(query) or 0))


def joined(kind: int) -> tuple[Any, ...]:
    """The condition that joins a meter with its pass."""
    same = (CheckRow.account_id == MeterRow.account_id, CheckRow.capability == MeterRow.capability)
    return (*same, CheckRow.kind == kind)


def row(key: Key, kind: int | None = None) -> tuple[Any, ...]:
    """The condition for the pass of a meter, or for all of its passes."""
    same = (CheckRow.account_id == key[0], CheckRow.capability == key[1])
    return same if kind is None else (*same, CheckRow.kind == kind)
