"""Vouchers 卡券: credit 代金券, percent 优惠券, goods 提货券 (manual 7.2). Only hashes of codes are stored."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.rules import storable
from inkgate.service.audit import trail
from inkgate.service.db.changes import add
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.orders import repository
from inkgate.service.orders.models import OrderLineRow, OrderRow, VoucherRow

KINDS = ("credit", "percent", "goods")
VALIDITY = timedelta(days=365)
MAX_VALUE = 10**12  # fen
MAX_NAME_CHARACTERS = 40
SOON = timedelta(days=7)
"""Before its end, a voucher is shown as one that ends soon."""


async def issue_voucher(
    work: UnitOfWork,
    kind: str,
    value: int = 1,
    *,
    product_id: str | None = None,
    account_id: str | None = None,
    ends_at: datetime | None = None,
    name: str = "",
) -> str:
    """Create a voucher and return its code, which is not stored.

    `value` is fen for credit, 1-100 for percent, ignored for goods. Raises Misuse.
    """
    if kind not in KINDS:
        raise Misuse("voucher.kind_unknown", choices=KINDS)
    if not 0 < value <= (100 if kind == "percent" else MAX_VALUE):
        raise Misuse("voucher.value_out_of_range", most=MAX_VALUE)
    if len(name) > MAX_NAME_CHARACTERS or not storable(name):
        raise Misuse("voucher.name_invalid", most=MAX_NAME_CHARACTERS)
    if (kind == "goods") != (product_id is not None):
        raise Misuse("voucher.product_mismatch")
    if product_id is not None and await repository.product(work.session, product_id) is None:
        raise Misuse("product.not_found", product_id=product_id)
    if account_id is not None:
        await accounts.get_account(work, account_id)
    now = await work.checked_now()
    code = secrets.token_urlsafe(15)
    end = ends_at or now + VALIDITY
    if end <= now:
        raise Misuse("voucher.ends_too_early")
    voucher = VoucherRow(
        code_hash=hash_token(code),
        kind=kind,
        value=value,
        product_id=product_id,
        account_id=account_id,
        starts_at=now,
        ends_at=end,
        name=name,
    )
    await add(work.session, voucher)
    await trail.record(
        work, "voucher.issue", f"voucher {voucher.number}", account_id, kind=kind, value=value, product=product_id
    )
    return code


async def voucher_for(work: UnitOfWork, account_id: str, *, code: str = "", number: str = "") -> VoucherRow:
    """A voucher that the account may use, locked: by its code, or by its number among those of the account.

    Raises Misuse when there is none.
    """
    if code:
        voucher = await repository.voucher(work.session, hash_token(code))
    else:
        voucher = await repository.own_voucher(work.session, account_id, number)
    if voucher is None or voucher.account_id not in (None, account_id):
        raise Misuse("voucher.not_found")
    return voucher


async def redeem(
    work: UnitOfWork, voucher: VoucherRow, order: OrderRow, lines: Sequence[OrderLineRow], now: datetime
) -> int:
    """Use a voucher for an order. Returns the discount in fen. Raises Misuse when it does not apply to this order."""
    if voucher.order_id is not None:
        raise Misuse("voucher.used")
    if not voucher.starts_at <= now < voucher.ends_at:
        raise Misuse("voucher.not_valid_now")
    discount = _discount(voucher, order, lines)
    if not await repository.use_voucher(work.session, voucher.code_hash, order.id):
        raise Misuse("voucher.used")
    await trail.record(
        work, "voucher.use", f"voucher {voucher.number}", order.account_id, order=order.number, fen=discount
    )
    return discount


async def claim_voucher(work: UnitOfWork, account_id: str, code: str) -> VoucherRow:
    """Add a voucher that any account may use to those of one account. Raises Misuse when it is unknown or used."""
    voucher = await voucher_for(work, account_id, code=code)
    if voucher.order_id is not None:
        raise Misuse("voucher.used")
    if voucher.account_id == account_id:
        raise Misuse("voucher.owned")
    if not await repository.claim_voucher(work.session, voucher.code_hash, account_id):
        raise Misuse("voucher.not_found")
    await trail.record(work, "voucher.claim", f"voucher {voucher.number}", account_id, kind=voucher.kind)
    return voucher


def voucher_state(voucher: VoucherRow, now: datetime) -> str:
    """used, expired, later (not valid yet), soon (ends within 7 days) or valid."""
    if voucher.order_id is not None:
        return "used"
    if now >= voucher.ends_at:
        return "expired"
    if now < voucher.starts_at:
        return "later"
    return "soon" if now >= voucher.ends_at - SOON else "valid"


def discount_of(voucher: VoucherRow, order: OrderRow, lines: Sequence[OrderLineRow]) -> int | None:
    """What an unused voucher takes off an order, in fen; None when it is for another product."""
    try:
        return _discount(voucher, order, lines)
    except Misuse:
        return None


def _discount(voucher: VoucherRow, order: OrderRow, lines: Sequence[OrderLineRow]) -> int:
    if voucher.kind == "credit":
        return min(voucher.value, order.amount_fen)
    if voucher.kind == "percent":
        return order.amount_fen * voucher.value // 100
    prices = [line.price_fen for line in lines if line.product_id == voucher.product_id]
    if not prices:
        raise Misuse("voucher.other_product")
    return prices[0]
