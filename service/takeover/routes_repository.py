"""Queries over the routes of the takeover."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.db.changes import guarded_update
from inkgate.service.db.upsert import dialect_of, insert_or_add, insert_or_replace
from inkgate.service.takeover.models import RouteRow, SwitchRow

SWITCH_ID = 1


async def switch(session: AsyncSession) -> SwitchRow | None:
    """The switch and the version of the routes; None before the first change."""
    found: SwitchRow | None = await session.get(SwitchRow, SWITCH_ID, populate_existing=True)
    return found


async def touch(session: AsyncSession, at: datetime) -> None:
    """Grow the version of the routes. Locks the row until the transaction ends: changes come one after another, and
    a reader that sees a version sees all changes up to it."""
    row = {"id": SWITCH_ID, "override": "", "version": 1, "changed_at": at}
    await session.execute(insert_or_add(dialect_of(session), SwitchRow, ["id"], ["version"]), row)


async def set_override(session: AsyncSession, override: str, at: datetime) -> bool:
    """Set the switch of an existing row; False when it is set so already."""
    change = update(SwitchRow).where(SwitchRow.id == SWITCH_ID, SwitchRow.override != override)
    return await guarded_update(session, change.values(override=override, changed_at=at))


async def routes(session: AsyncSession, limit: int) -> list[RouteRow]:
    """All routes, at most `limit`."""
    return list(await session.scalars(select(RouteRow).order_by(RouteRow.app_id, RouteRow.capability).limit(limit)))


async def route(session: AsyncSession, app_id: str, capability: str) -> RouteRow | None:
    """The route of an app's calls to a capability; None when there is none."""
    return await session.get(RouteRow, (app_id, capability), populate_existing=True)


async def routes_of(session: AsyncSession, app_id: str) -> list[RouteRow]:
    """The routes of an app, by capability."""
    return list(await session.scalars(select(RouteRow).where(RouteRow.app_id == app_id).order_by(RouteRow.capability)))


async def count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(RouteRow)) or 0


async def replace(session: AsyncSession, app_id: str, capability: str, mode: str, percent: int, at: datetime) -> None:
    """Insert a route, or replace the one of the same app and capability."""
    row = {"app_id": app_id, "capability": capability, "mode": mode, "percent": percent, "changed_at": at}
    columns = ["mode", "percent", "changed_at"]
    await session.execute(insert_or_replace(dialect_of(session), RouteRow, ["app_id", "capability"], columns), row)


async def remove(session: AsyncSession, app_id: str, capability: str) -> None:
    await session.execute(delete(RouteRow).where(RouteRow.app_id == app_id, RouteRow.capability == capability))


async def keys(session: AsyncSession, limit: int) -> list[tuple[str, str]]:
    """(app id, capability) of the routes of live apps, by app, account and capability."""
    query = _ordered(select(RouteRow.app_id).add_columns(RouteRow.capability)).limit(limit)
    return [(str(app_id), capability) for app_id, capability in await session.execute(query)]


async def with_apps(
    session: AsyncSession, *, limit: int, offset: int = 0, app_ids: Sequence[str] | None = None
) -> list[tuple[RouteRow, AppRow, str]]:
    """Routes with their live apps and the names of those's accounts, by app, account and capability; only of these
    apps if they are given."""
    query = _ordered(select(RouteRow).add_columns(AppRow, Account.name))
    if app_ids is not None:
        query = query.where(RouteRow.app_id.in_(app_ids))
    found = await session.execute(query.limit(limit).offset(offset))
    return [(row[0], row[1], str(row[2])) for row in found]


def _ordered(query: Select[Any]) -> Select[Any]:
    """A query over the routes of live apps, by app, account and capability."""
    query = query.select_from(RouteRow).join(AppRow, AppRow.id == RouteRow.app_id)
    query = query.join(Account, Account.id == AppRow.account_id).where(AppRow.deleted_at.is_(None))
    return query.order_by(AppRow.name, Account.name, RouteRow.capability)
