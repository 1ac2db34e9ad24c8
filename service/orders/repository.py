"""Queries over the catalogue, orders, vouchers and refunds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.db import ids
from inkgate.service.db.changes import guarded_update
from inkgate.service.metering.models import ACTIVE, REFUNDED, PackRow
from inkgate.service.orders.models import OrderLineRow, OrderRow, ProductRow, RefundRow, VoucherRow


async def products(session: AsyncSession, *, on_sale: bool = True) -> list[ProductRow]:
    query = select(ProductRow).order_by(ProductRow.capability, ProductRow.units)
    if on_sale:
        query = query.where(ProductRow.on_sale)
    return list(await session.scalars(query))


async def product(session: AsyncSession, product_id: str, *, lock: bool = False) -> ProductRow | None:
    return await session.get(ProductRow, product_id, with_for_update={"key_share": True} if lock else None)


async def order(session: AsyncSession, number: str) -> OrderRow | None:
    """An order in its current state, not from the session's cache."""
    query = select(OrderRow).where(OrderRow.number == number).execution_options(populate_existing=True)
    found: OrderRow | None = await session.scalar(query)
    return found


async def decide_order(session: AsyncSession, order_id: str, state: str, at: datetime, by: str) -> bool:
    """Move a pending order to `state`; False when it is no longer pending."""
    return await _decide(session, OrderRow, order_id, state, at, by)


async def orders(
    session: AsyncSession,
    account_ids: Sequence[str] | None = None,
    *,
    state: str = "",
    limit: int = 100,
    offset: int = 0,
) -> list[OrderRow]:
    """Orders, newest first; `account_ids` None: of all accounts."""
    query = select(OrderRow).order_by(OrderRow.ordered_at.desc(), OrderRow.id.desc()).limit(limit).offset(offset)
    if account_ids is not None:
        query = query.where(OrderRow.account_id.in_(account_ids))
    if state:
        query = query.where(OrderRow.state == state)
    return list(await session.scalars(query))


async def lines(session: AsyncSession, order_id: str) -> list[OrderLineRow]:
    query = select(OrderLineRow).where(OrderLineRow.order_id == order_id).order_by(OrderLineRow.line)
    return list(await session.scalars(query))


async def voucher(session: AsyncSession, code_hash: str) -> VoucherRow | None:
    """A voucher in its current state, locked."""
    return await session.get(VoucherRow, code_hash, populate_existing=True, with_for_update=True)


async def use_voucher(session: AsyncSession, code_hash: str, order_id: str) -> bool:
    """Assign an unused voucher to an order; False when it is used already."""
    change = update(VoucherRow).where(VoucherRow.code_hash == code_hash, VoucherRow.order_id.is_(None))
    return await guarded_update(session, change.values(order_id=order_id))


async def voucher_of(session: AsyncSession, order_id: str) -> VoucherRow | None:
    """The voucher that an order used."""
    found: VoucherRow | None = await session.scalar(select(VoucherRow).where(VoucherRow.order_id == order_id))
    return found


async def vouchers(session: AsyncSession, account_id: str) -> list[VoucherRow]:
    """The vouchers of an account, ordered by their end."""
    query = select(VoucherRow).where(VoucherRow.account_id == account_id).order_by(VoucherRow.ends_at)
    return list(await session.scalars(query))


async def release_voucher(session: AsyncSession, order_id: str) -> None:
    """Release the voucher of a rejected or cancelled order."""
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


async def decide_refund(session: AsyncSession, refund_id: str, state: str, at: datetime, by: str) -> bool:
    """Move a pending refund to `state`; False when it is no longer pending."""
    return await _decide(session, RefundRow, refund_id, state, at, by)


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


async def _decide(
    session: AsyncSession, model: type[OrderRow | RefundRow], key: str, state: str, at: datetime, by: str
) -> bool:
    change = update(model).where(model.id == key, model.state == "pending")
    return await guarded_update(session, change.values(state=state, decided_at=at, decided_by=by))
