"""SQL of the console: names, orders and packs of several accounts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, func, literal, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from inkgate.service.accounts.models import AccessKeyRow, Account, AllowedRow, AppRow, OpenedRow
from inkgate.service.accounts.repository import IDS_PER_QUERY
from inkgate.service.console.app_labels import NamedApp
from inkgate.service.metering.models import ACTIVE, PackRow
from inkgate.service.metering.pack_totals import active, usable
from inkgate.service.orders.models import OrderRow, RefundRow


async def newest_apps(session: AsyncSession, account_ids: Sequence[str], limit: int) -> list[NamedApp]:
    """The newest apps of these accounts, deleted ones after the others: records reference them."""
    query = _named_apps().where(AppRow.account_id.in_(account_ids))
    query = query.order_by(AppRow.deleted_at.is_not(None), AppRow.created_at.desc(), AppRow.id).limit(limit)
    return _read(await session.execute(query))


async def named_apps(
    session: AsyncSession, app_ids: Sequence[str], account_ids: Sequence[str] | None = None
) -> list[NamedApp]:
    """These apps, deleted ones too; only those of these accounts if they are given."""
    found: list[NamedApp] = []
    for start in range(0, len(app_ids), IDS_PER_QUERY):
        query = _named_apps().where(AppRow.id.in_(app_ids[start : start + IDS_PER_QUERY]))
        if account_ids is not None:
            query = query.where(AppRow.account_id.in_(account_ids))
        found += _read(await session.execute(query))
    return found


def _read(rows: Iterable[Any]) -> list[NamedApp]:
    return [
        NamedApp(str(app_id), str(name), str(account_id), str(account), bool(deleted))
        for app_id, name, account_id, account, deleted in rows
    ]


def _named_apps() -> Select[Any]:
    query = select(AppRow.id).add_columns(AppRow.name, Account.id, Account.name, AppRow.deleted_at.is_not(None))
    return query.join(Account, Account.id == AppRow.account_id)


async def live_apps_named(session: AsyncSession, names: Sequence[str], account_ids: Sequence[str]) -> dict[str, int]:
    """Name → number of the live apps of these accounts that have it, for those of these names that any has."""
    found: dict[str, int] = {}
    for start in range(0, len(names), IDS_PER_QUERY):
        query = select(AppRow.name, func.count()).where(
            AppRow.name.in_(names[start : start + IDS_PER_QUERY]),
            AppRow.account_id.in_(account_ids),
            AppRow.deleted_at.is_(None),
        )
        found |= {str(name): count for name, count in await session.execute(query.group_by(AppRow.name))}
    return found


async def opened_counts(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, int]:
    """Capability → number of live apps of these accounts that have opened it."""
    query = (
        select(OpenedRow.capability, func.count())
        .join(AppRow, AppRow.id == OpenedRow.app_id)
        .where(AppRow.account_id.in_(account_ids), AppRow.deleted_at.is_(None))
        .group_by(OpenedRow.capability)
    )
    return {str(capability): int(count) for capability, count in await session.execute(query)}


async def has_pack(session: AsyncSession, account_id: str) -> bool:
    """Whether a main account has ever had a pack that was not refunded."""
    query = select(PackRow.id).where(PackRow.account_id == account_id, PackRow.state == ACTIVE).limit(1)
    return await session.scalar(query) is not None


async def has_key(session: AsyncSession, account_ids: Sequence[str]) -> bool:
    """Whether these accounts have an access key that is not disabled."""
    query = select(AccessKeyRow.ak).where(AccessKeyRow.account_id.in_(account_ids), AccessKeyRow.disabled_at.is_(None))
    return await session.scalar(query.limit(1)) is not None


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


async def owners_of_apps(session: AsyncSession, app_ids: Sequence[str], account_ids: Sequence[str]) -> dict[str, str]:
    """App id → id of its account, of those apps that these accounts own; deleted ones too."""
    found: dict[str, str] = {}
    for start in range(0, len(app_ids), IDS_PER_QUERY):
        query = select(AppRow.id, AppRow.account_id).where(AppRow.id.in_(app_ids[start : start + IDS_PER_QUERY]))
        rows = await session.execute(query.where(AppRow.account_id.in_(account_ids)))
        found |= {str(app_id): str(account_id) for app_id, account_id in rows}
    return found


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment (an order, `fen` above 0) or a repayment (a refund, `fen` below 0)."""

    at: datetime
    order: str
    account: str
    refund: bool
    fen: int


def charges_query(
    account_ids: Sequence[str], since: datetime, until: datetime, limit: int | None = None, offset: int = 0
) -> Select[Any]:
    """Orders that took effect, and approved refunds, between `since` and `until` (exclusive), oldest first."""
    paid = select(
        OrderRow.decided_at.label("at"),
        OrderRow.number.label("number"),
        OrderRow.account_id.label("account_id"),
        literal(0).label("refund"),
        (OrderRow.amount_fen - OrderRow.discount_fen).label("fen"),
    ).where(OrderRow.account_id.in_(account_ids), OrderRow.state == "active")
    back = (
        select(
            RefundRow.decided_at.label("at"),
            OrderRow.number.label("number"),
            RefundRow.account_id.label("account_id"),
            literal(1).label("refund"),
            (-RefundRow.amount_fen).label("fen"),
        )
        .join(PackRow, PackRow.id == RefundRow.pack_id)
        .join(OrderRow, OrderRow.id == PackRow.order_id)
        .where(RefundRow.account_id.in_(account_ids), RefundRow.state == "approved")
    )
    most = None if limit is None else limit + offset
    parts = [
        select(query.where(at >= since, at < until).order_by(at, OrderRow.number).limit(most).subquery())
        for query, at in ((paid, OrderRow.decided_at), (back, RefundRow.decided_at))
    ]
    both = union_all(*parts).subquery()
    query = select(both.c.at, both.c.number, Account.name, both.c.refund, both.c.fen)
    query = query.join(Account, Account.id == both.c.account_id)
    return query.order_by(both.c.at, both.c.number, both.c.refund).limit(limit).offset(offset)


async def charges(session: AsyncSession, query: Select[Any]) -> list[Charge]:
    """The charges of `charges_query`."""
    return [_charge(row) for row in await session.execute(query)]


async def stream_charges(session: AsyncSession, query: Select[Any]) -> AsyncGenerator[Charge, None]:
    """The charges of `charges_query`, a few at a time."""
    async for row in await session.stream(query):
        yield _charge(row)


def _charge(row: Any) -> Charge:
    at, number, account, refund, fen = row
    return Charge(at, str(number), str(account), bool(refund), int(fen))


async def monthly_payments(
    session: AsyncSession, account_ids: Sequence[str], edges: Sequence[datetime]
) -> list[tuple[int, int]]:
    """Per month between two successive `edges`: fen of the orders that took effect, and fen of approved refunds."""
    paid = [
        _sum(OrderRow.amount_fen - OrderRow.discount_fen).where(
            OrderRow.account_id.in_(account_ids),
            OrderRow.state == "active",
            OrderRow.decided_at >= since,
            OrderRow.decided_at < until,
        )
        for since, until in pairwise(edges)
    ]
    back = [
        _sum(RefundRow.amount_fen).where(
            RefundRow.account_id.in_(account_ids),
            RefundRow.state == "approved",
            RefundRow.decided_at >= since,
            RefundRow.decided_at < until,
        )
        for since, until in pairwise(edges)
    ]
    query = select(*(each.scalar_subquery() for each in (*paid, *back)))  # one range of an index each
    sums = [int(each) for each in (await session.execute(query)).one()]
    return list(zip(sums[: len(paid)], sums[len(paid) :], strict=True))


def _sum(fen: ColumnElement[int] | InstrumentedAttribute[int]) -> Select[Any]:
    return select(func.coalesce(func.sum(type_coerce(fen, BigInteger)), 0))


async def payments_by_capability(
    session: AsyncSession, account_id: str, since: datetime, until: datetime
) -> list[tuple[str, int, int]]:
    """Capability, fen and units of the bought, not refunded packs of an account whose validity began in the period."""
    query = (
        select(PackRow.capability, func.sum(PackRow.price_fen), func.sum(PackRow.total))
        .where(
            PackRow.account_id == account_id,
            PackRow.order_id.is_not(None),
            active(),
            PackRow.starts_at >= since,
            PackRow.starts_at < until,
        )
        .group_by(PackRow.capability)
        .order_by(PackRow.capability)
    )
    return [(str(name), int(fen), int(units)) for name, fen, units in await session.execute(query)]


async def ending_packs(session: AsyncSession, account_id: str, now: datetime, until: datetime) -> int:
    """Packs with units left whose validity ends in the period: they are to be renewed."""
    query = select(func.count()).where(
        PackRow.account_id == account_id,
        *usable(),
        PackRow.ends_at > now,
        PackRow.ends_at <= until,
    )
    return int(await session.scalar(query) or 0)


async def order_numbers(session: AsyncSession, order_ids: Sequence[str]) -> dict[str, str]:
    """Order id → order number."""
    query = select(OrderRow.id, OrderRow.number).where(OrderRow.id.in_(order_ids))
    return {str(order_id): str(number) for order_id, number in await session.execute(query)}


@dataclass(frozen=True, slots=True)
class PackFilter:
    """Which bought packs to list; None: any. `ordered_since`: unused ones ordered since then."""

    capabilities: Sequence[str] | None = None
    pack_id: str | None = None
    order_number: str | None = None
    ordered_since: datetime | None = None


async def bought_packs(
    session: AsyncSession, account_id: str, wanted: PackFilter, *, limit: int, offset: int
) -> list[PackRow]:
    """Packs of an account that were bought and not refunded, latest order first."""
    query = select(PackRow).where(
        PackRow.account_id == account_id, PackRow.order_id.is_not(None), PackRow.state == ACTIVE
    )
    if wanted.capabilities is not None:
        query = query.where(PackRow.capability.in_(wanted.capabilities))
    if wanted.pack_id is not None:
        query = query.where(PackRow.id == wanted.pack_id)
    if wanted.ordered_since is not None:
        query = query.where(PackRow.ordered_at >= wanted.ordered_since, PackRow.used == 0)
    if wanted.order_number is not None:
        number = select(OrderRow.id).where(OrderRow.number == wanted.order_number).scalar_subquery()
        query = query.where(PackRow.order_id == number).order_by(PackRow.id.desc())  # by the index of orders
    else:
        query = query.order_by(PackRow.ordered_at.desc(), PackRow.id.desc())
    return list(await session.scalars(query.limit(limit).offset(offset)))


async def packs_by_id(session: AsyncSession, pack_ids: Sequence[str]) -> dict[str, PackRow]:
    rows = await session.scalars(select(PackRow).where(PackRow.id.in_(pack_ids)))
    return {row.id: row for row in rows}


async def account_names(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, str]:
    query = select(Account.id, Account.name).where(Account.id.in_(account_ids))
    return {str(account_id): str(name) for account_id, name in await session.execute(query)}


async def orders_matching(
    session: AsyncSession, text: str, account_ids: Sequence[str] | None, limit: int
) -> list[tuple[str, Account]]:
    """Orders whose number contains the text, newest first, each with its account; `account_ids` None: of all."""
    if not (text.isascii() and text.isdigit()):  # numbers are digits only
        return []
    query = select(OrderRow.number, Account).join(Account, Account.id == OrderRow.account_id)
    query = query.where(OrderRow.number.contains(text))
    if account_ids is not None:
        query = query.where(OrderRow.account_id.in_(account_ids))
    rows = await session.execute(query.order_by(OrderRow.ordered_at.desc(), OrderRow.id).limit(limit))
    return [(str(number), account) for number, account in rows]


async def apps_matching(session: AsyncSession, text: str, limit: int) -> list[tuple[str, Account]]:
    """Live apps of all accounts whose name contains the text, newest first, each with its account."""
    query = select(AppRow.name, Account).join(Account, Account.id == AppRow.account_id)
    query = query.where(AppRow.deleted_at.is_(None), AppRow.name.contains(text, autoescape=True))
    rows = await session.execute(query.order_by(AppRow.created_at.desc(), AppRow.id).limit(limit))
    return [(str(name), account) for name, account in rows]


async def main_accounts(session: AsyncSession, search: str, first: Sequence[str], limit: int) -> list[Account]:
    """At most `limit` main accounts whose names contain `search`, those with the ids `first` before the others."""
    query = select(Account).where(Account.parent_id.is_(None))
    if search:
        query = query.where(Account.name.contains(search, autoescape=True))
    order = (
        (Account.id.in_(first).desc(), Account.created_at, Account.id) if first else (Account.created_at, Account.id)
    )
    return list(await session.scalars(query.order_by(*order).limit(limit)))
