"""SQL of the console: names, orders and packs of several accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts.models import Account, AllowedRow, AppRow, OpenedRow
from inkgate.service.metering.models import PackRow
from inkgate.service.orders.models import OrderRow, RefundRow


async def app_names(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    """App id → name, including deleted apps, which records still reference."""
    query = select(AppRow.id, AppRow.name).where(AppRow.account_id.in_(account_ids))
    return {str(app_id): str(name) for app_id, name in await session.execute(query)}


async def opened_counts(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, int]:
    """Capability → number of live apps of these accounts that have opened it."""
    query = (
        select(OpenedRow.capability, func.count())
        .join(AppRow, AppRow.id == OpenedRow.app_id)
        .where(AppRow.account_id.in_(account_ids), AppRow.deleted_at.is_(None))
        .group_by(OpenedRow.capability)
    )
    return {str(capability): int(count) for capability, count in await session.execute(query)}


async def opened_by(session: AsyncSession, app_ids: Sequence[str]) -> dict[str, list[str]]:
    """App id → capabilities that it has opened."""
    found: dict[str, list[str]] = {}
    query = select(OpenedRow.app_id, OpenedRow.capability).where(OpenedRow.app_id.in_(app_ids))
    for app_id, capability in await session.execute(query.order_by(OpenedRow.opened_at)):
        found.setdefault(str(app_id), []).append(str(capability))
    return found


async def allowed_of(session: AsyncSession, app_id: str) -> dict[str, list[str]]:
    """Capability ("" for the whole app) → networks of the allow-list."""
    found: dict[str, list[str]] = {}
    query = select(AllowedRow).where(AllowedRow.app_id == app_id).order_by(AllowedRow.network)
    for row in await session.scalars(query):
        found.setdefault(row.capability, []).append(row.network)
    return found


async def app_owners(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    """App id → id of its account, including deleted apps."""
    query = select(AppRow.id, AppRow.account_id).where(AppRow.account_id.in_(account_ids))
    return {str(app_id): str(account_id) for app_id, account_id in await session.execute(query)}


async def paid_orders(
    session: AsyncSession, account_ids: Sequence[str], since: datetime, until: datetime
) -> list[OrderRow]:
    """Orders that took effect between `since` and `until` (exclusive)."""
    when = func.coalesce(OrderRow.decided_at, OrderRow.ordered_at)
    query = select(OrderRow).where(
        OrderRow.account_id.in_(account_ids), OrderRow.state == "active", when >= since, when < until
    )
    return list(await session.scalars(query.order_by(when)))


async def paid_back(
    session: AsyncSession, account_ids: Sequence[str], since: datetime, until: datetime
) -> list[tuple[RefundRow, str]]:
    """Refunds approved between `since` and `until` (exclusive), each with its order number."""
    query = (
        select(RefundRow, OrderRow.number)
        .join(PackRow, PackRow.id == RefundRow.pack_id)
        .join(OrderRow, OrderRow.id == PackRow.order_id)
        .where(
            RefundRow.account_id.in_(account_ids),
            RefundRow.state == "approved",
            RefundRow.decided_at >= since,
            RefundRow.decided_at < until,
        )
    )
    return [(row, str(number)) for row, number in await session.execute(query)]


async def order_numbers(session: AsyncSession, order_ids: Sequence[str]) -> dict[str, str]:
    """Order id → order number."""
    query = select(OrderRow.id, OrderRow.number).where(OrderRow.id.in_(order_ids))
    return {str(order_id): str(number) for order_id, number in await session.execute(query)}


async def packs_by_id(session: AsyncSession, pack_ids: Sequence[str]) -> dict[str, PackRow]:
    rows = await session.scalars(select(PackRow).where(PackRow.id.in_(pack_ids)))
    return {row.id: row for row in rows}


async def account_names(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    query = select(Account.id, Account.name).where(Account.id.in_(account_ids))
    return {str(account_id): str(name) for account_id, name in await session.execute(query)}


async def main_accounts(session: AsyncSession, search: str, first: Sequence[str], limit: int) -> list[Account]:
    """At most `limit` main accounts whose names contain `search`, those with the ids `first` before the others."""
    query = select(Account).where(Account.parent_id.is_(None))
    if search:
        query = query.where(Account.name.contains(search, autoescape=True))
    order = (
        (Account.id.in_(first).desc(), Account.created_at, Account.id) if first else (Account.created_at, Account.id)
    )
    return list(await session.scalars(query.order_by(*order).limit(limit)))
