"""Queries over the catalogue, orders, vouchers and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from inkgate.service.accounts.models import Account
from inkgate.service.db import ids
from inkgate.service.db.changes import guarded_update
from inkgate.service.metering.models import ACTIVE, REFUNDED, PackRow
from inkgate.service.orders.models import (
    NUMBER_CHARACTERS,
    BalanceEntryRow,
    OrderLineRow,
    OrderRow,
    ProductRow,
    RefundRow,
    VoucherRow,
)

MAX_UNITED = 50  # accounts whose orders are united; SQLite takes at most 500 parts


async def products(
    session: AsyncSession, *, on_sale: bool = True, limit: int | None = None, offset: int = 0
) -> list[ProductRow]:
    """The catalogue by capability and size; its number of products is bounded (service.MAX_PRODUCTS)."""
    query = select(ProductRow).order_by(ProductRow.capability, ProductRow.units, ProductRow.id)
    query = query.limit(limit).offset(offset)
    if on_sale:
        query = query.where(ProductRow.on_sale)
    return list(await session.scalars(query))


async def product(session: AsyncSession, product_id: str, *, lock: bool = False) -> ProductRow | None:
    return await session.get(ProductRow, product_id, with_for_update={"key_share": True} if lock else None)


async def count_products(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(ProductRow)) or 0


async def order(session: AsyncSession, number: str) -> OrderRow | None:
    """An order in its current state, not from the session's cache."""
    query = select(OrderRow).where(OrderRow.number == number).execution_options(populate_existing=True)
    found: OrderRow | None = await session.scalar(query)
    return found


async def decide_order(
    session: AsyncSession, order_id: str, state: str, at: datetime, by: str, *, before: str = "pending"
) -> bool:
    """Move an order from `before` to `state`; False when it is no longer in that state."""
    return await _decide(session, OrderRow, order_id, state, at, by, before=before)


async def take_unpaid(session: AsyncSession, order_id: str, at: datetime) -> bool:
    """Move an unpaid order to pending; False when it is no longer unpaid."""
    change = update(OrderRow).where(OrderRow.id == order_id, OrderRow.state == "unpaid")
    return await guarded_update(session, change.values(state="pending", paid_at=at))


async def count_unpaid(session: AsyncSession, account_id: str, since: datetime) -> int:
    """Unpaid orders of an account placed since then."""
    query = select(func.count()).where(
        OrderRow.account_id == account_id, OrderRow.ordered_at >= since, OrderRow.state == "unpaid"
    )
    return int(await session.scalar(query) or 0)


async def orders(
    session: AsyncSession,
    account_ids: Sequence[str] | None = None,
    *,
    state: str = "",
    limit: int = 100,
    offset: int = 0,
) -> list[OrderRow]:
    """Orders, newest first; `account_ids` None: of all accounts."""
    if account_ids is not None and not account_ids:
        return []
    latest = (OrderRow.ordered_at.desc(), OrderRow.id.desc())
    query = select(OrderRow)
    if state:
        query = query.where(OrderRow.state == state)
    if account_ids is not None and len(account_ids) > MAX_UNITED:
        query = query.where(OrderRow.account_id.in_(account_ids))
    elif account_ids is not None:  # the latest of each account by its index, instead of sorting all orders
        ids_only = query.with_only_columns(OrderRow.id)
        each = [
            select(ids_only.where(OrderRow.account_id == account_id).order_by(*latest).limit(limit + offset).subquery())
            for account_id in account_ids
        ]
        query = select(OrderRow).where(OrderRow.id.in_(union_all(*each)))
    return list(await session.scalars(query.order_by(*latest).limit(limit).offset(offset)))


async def orders_by_id(session: AsyncSession, order_ids: Sequence[str]) -> dict[str, OrderRow]:
    """Order id → order."""
    rows = await session.scalars(select(OrderRow).where(OrderRow.id.in_(order_ids)))
    return {row.id: row for row in rows}


async def lines(session: AsyncSession, order_id: str) -> list[OrderLineRow]:
    query = select(OrderLineRow).where(OrderLineRow.order_id == order_id).order_by(OrderLineRow.line)
    return list(await session.scalars(query))


async def lines_of(session: AsyncSession, order_ids: Sequence[str]) -> dict[str, list[OrderLineRow]]:
    """Order id → its lines."""
    found: dict[str, list[OrderLineRow]] = {}
    query = select(OrderLineRow).where(OrderLineRow.order_id.in_(order_ids))
    for row in await session.scalars(query.order_by(OrderLineRow.order_id, OrderLineRow.line)):
        found.setdefault(row.order_id, []).append(row)
    return found


async def voucher(session: AsyncSession, code_hash: str) -> VoucherRow | None:
    """A voucher in its current state, locked."""
    return await session.get(VoucherRow, code_hash, populate_existing=True, with_for_update=True)


async def own_voucher(session: AsyncSession, account_id: str, number: str) -> VoucherRow | None:
    """The voucher of an account with this number (the start of its hash), locked."""
    if len(number) != NUMBER_CHARACTERS or not number.isalnum():
        return None
    query = (
        select(VoucherRow)
        .where(VoucherRow.account_id == account_id, VoucherRow.code_hash.startswith(number))
        .order_by(VoucherRow.code_hash)
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found: VoucherRow | None = await session.scalar(query)
    return found


async def claim_voucher(session: AsyncSession, code_hash: str, account_id: str) -> bool:
    """Give an unused voucher without an account to one; False when it is used or has one."""
    change = update(VoucherRow).where(
        VoucherRow.code_hash == code_hash, VoucherRow.account_id.is_(None), VoucherRow.order_id.is_(None)
    )
    return await guarded_update(session, change.values(account_id=account_id))


async def use_voucher(session: AsyncSession, code_hash: str, order_id: str) -> bool:
    """Assign an unused voucher to an order; False when it is used already."""
    change = update(VoucherRow).where(VoucherRow.code_hash == code_hash, VoucherRow.order_id.is_(None))
    return await guarded_update(session, change.values(order_id=order_id))


async def voucher_of(session: AsyncSession, order_id: str) -> VoucherRow | None:
    """The voucher that an order used."""
    found: VoucherRow | None = await session.scalar(select(VoucherRow).where(VoucherRow.order_id == order_id))
    return found


async def vouchers(
    session: AsyncSession,
    account_id: str | None = None,
    *,
    state: str = "",
    now: datetime | None = None,
    soon: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[VoucherRow]:
    """The vouchers of an account (None: all vouchers), the one that ends last first. `state`: "valid" at `now`, "soon"
    (valid, ends before `soon`), "used", or "" for all."""
    query = select(VoucherRow).order_by(VoucherRow.ends_at.desc(), VoucherRow.code_hash).limit(limit).offset(offset)
    if account_id is not None:
        query = query.where(VoucherRow.account_id == account_id)
    if state == "used":
        query = query.where(VoucherRow.order_id.is_not(None))
    elif state:
        query = query.where(VoucherRow.order_id.is_(None), VoucherRow.starts_at <= now, VoucherRow.ends_at > now)
    if state == "soon":
        query = query.where(VoucherRow.ends_at <= soon)
    return list(await session.scalars(query))


async def usable_vouchers(session: AsyncSession, account_id: str, now: datetime, limit: int = 100) -> list[VoucherRow]:
    """Unused vouchers of an account that are valid now, the one that ends first first."""
    query = select(VoucherRow).where(
        VoucherRow.account_id == account_id,
        VoucherRow.order_id.is_(None),
        VoucherRow.starts_at <= now,
        VoucherRow.ends_at > now,
    )
    return list(await session.scalars(query.order_by(VoucherRow.ends_at, VoucherRow.code_hash).limit(limit)))


async def count_vouchers(session: AsyncSession, account_id: str, now: datetime, soon: datetime) -> dict[str, int]:
    """Kind → usable vouchers of an account; "soon" → those of all kinds that end before `soon`."""
    usable = (
        VoucherRow.account_id == account_id,
        VoucherRow.order_id.is_(None),
        VoucherRow.starts_at <= now,
        VoucherRow.ends_at > now,
    )
    ends_soon = func.sum(case((VoucherRow.ends_at <= soon, 1), else_=0))
    query = select(VoucherRow.kind, func.count(), ends_soon).where(*usable).group_by(VoucherRow.kind)
    rows = (await session.execute(query)).all()
    return {str(kind): int(count) for kind, count, _ in rows} | {"soon": sum(int(each) for *_, each in rows)}


async def release_voucher(session: AsyncSession, order_id: str) -> None:
    """Release the voucher of an order that is rejected, cancelled or refunded whole."""
    change = update(VoucherRow).where(VoucherRow.order_id == order_id).values(order_id=None)
    await session.execute(change.execution_options(synchronize_session=False))


async def pack(session: AsyncSession, pack_id: str) -> PackRow | None:
    """A pack in its current state, not from the session's cache."""
    return await session.get(PackRow, pack_id, populate_existing=True) if ids.is_canonical_uuid(pack_id) else None


async def refund_pack(session: AsyncSession, pack_id: str, seq: int) -> bool:
    """Mark an unused pack as refunded, at its meter's `seq`; False when it is used or refunded already."""
    change = update(PackRow).where(PackRow.id == pack_id, PackRow.state == ACTIVE, PackRow.used == 0)
    return await guarded_update(session, change.values(state=REFUNDED, refunded_seq=seq))


async def refund(session: AsyncSession, refund_id: str) -> RefundRow | None:
    return await session.get(RefundRow, refund_id, populate_existing=True) if ids.is_canonical_uuid(refund_id) else None


async def decide_refund(
    session: AsyncSession, refund_id: str, state: str, at: datetime, by: str, *, note: str = ""
) -> bool:
    """Move a pending refund to `state`; False when it is no longer pending."""
    return await _decide(session, RefundRow, refund_id, state, at, by, note=note)


async def lock_order(session: AsyncSession, order_id: str) -> OrderRow | None:
    """An order in its current state, locked."""
    return await session.get(OrderRow, order_id, populate_existing=True, with_for_update={"key_share": True})


async def has_active_packs(session: AsyncSession, order_id: str) -> bool:
    """Whether a pack of the order has not been refunded."""
    query = select(PackRow.id).where(PackRow.order_id == order_id, PackRow.state == ACTIVE).limit(1)
    return await session.scalar(query) is not None


async def pending_refunds(session: AsyncSession, pack_ids: Sequence[str]) -> set[str]:
    """Those of the packs for which a refund is pending."""
    query = select(RefundRow.pack_id).where(RefundRow.pack_id.in_(pack_ids), RefundRow.state == "pending")
    return {str(pack_id) for pack_id in await session.scalars(query)}


async def pending_refund(session: AsyncSession, pack_id: str) -> RefundRow | None:
    query = select(RefundRow).where(RefundRow.pack_id == pack_id, RefundRow.state == "pending")
    found: RefundRow | None = await session.scalar(query)
    return found


async def refunds(
    session: AsyncSession, account_id: str | None = None, *, state: str = "", limit: int = 100, offset: int = 0
) -> list[RefundRow]:
    """Refunds, newest first; `account_id` None: of all accounts."""
    query = select(RefundRow).order_by(RefundRow.requested_at.desc(), RefundRow.id.desc()).limit(limit).offset(offset)
    if account_id is not None:
        query = query.where(RefundRow.account_id == account_id)
    if state:
        query = query.where(RefundRow.state == state)
    return list(await session.scalars(query))


async def lock_account(session: AsyncSession, account_id: str) -> None:
    """Lock the row of an account until the end of the transaction; inserts that reference it do not wait."""
    await session.get(Account, account_id, populate_existing=True, with_for_update={"key_share": True})


async def last_entry(session: AsyncSession, account_id: str) -> BalanceEntryRow | None:
    """The entry that holds the balance of an account."""
    query = select(BalanceEntryRow).where(BalanceEntryRow.account_id == account_id)
    query = query.order_by(BalanceEntryRow.seq.desc()).limit(1).execution_options(populate_existing=True)
    found: BalanceEntryRow | None = await session.scalar(query)
    return found


async def balance(session: AsyncSession, account_id: str) -> int:
    """The balance of an account in fen."""
    last = await last_entry(session, account_id)
    return last.balance_fen if last else 0


async def entries(
    session: AsyncSession, account_id: str, *, limit: int = 100, offset: int = 0
) -> list[BalanceEntryRow]:
    """The entries of an account, latest first."""
    query = select(BalanceEntryRow).where(BalanceEntryRow.account_id == account_id)
    return list(await session.scalars(query.order_by(BalanceEntryRow.seq.desc()).limit(limit).offset(offset)))


async def balances(session: AsyncSession, account_ids: Sequence[str]) -> dict[str, int]:
    """Account id → balance in fen, of those that have entries."""
    entry = aliased(BalanceEntryRow)
    last = select(func.max(entry.seq)).where(entry.account_id == Account.id).scalar_subquery()
    query = (
        select(BalanceEntryRow.account_id, BalanceEntryRow.balance_fen)
        .join(Account, Account.id == BalanceEntryRow.account_id)
        .where(Account.id.in_(account_ids), BalanceEntryRow.seq == last)
    )
    return {str(account_id): int(fen) for account_id, fen in await session.execute(query)}


async def _decide(
    session: AsyncSession,
    model: type[OrderRow | RefundRow],
    key: str,
    state: str,
    at: datetime,
    by: str,
    *,
    before: str = "pending",
    **values: str,
) -> bool:
    change = update(model).where(model.id == key, model.state == before)
    return await guarded_update(session, change.values(state=state, decided_at=at, decided_by=by, **values))
