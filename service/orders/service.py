"""Orders and their packs: catalogue → order → decision → packs (manual 2.1, 2.2, 4.1)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.rules import capability as known_capability
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import MAX_UNITS, grant_pack
from inkgate.service.orders import repository
from inkgate.service.orders.discounts import allocate_discount
from inkgate.service.orders.models import OrderLineRow, OrderRow, ProductRow
from inkgate.service.orders.vouchers import redeem, voucher_for

UNPAID, PENDING, ACTIVE, REJECTED, CANCELLED = "unpaid", "pending", "active", "rejected", "cancelled"
MAX_QUANTITY = 100
MAX_PRODUCTS = 200  # in the catalogue: pages show it as a whole
MAX_LINES = 100
MAX_PRICE_FEN = 10**12


async def set_product(
    work: UnitOfWork, product_id: str, capability: str, units: int, price_fen: int, *, on_sale: bool = True
) -> ProductRow:
    """Add a product to the catalogue or change its price. Orders placed before keep their price.

    Raises Misuse for numbers out of range, for a product whose capability or units would change, and for one too many.
    """
    known_capability(capability)
    if capability in FREE_CAPABILITIES:
        raise Misuse("product.free", capability=capability)
    fits = 0 < len(product_id) <= 32 and product_id.isprintable()
    if not (0 < units <= MAX_UNITS and fits):
        raise Misuse("product.invalid")
    if not 0 <= price_fen <= MAX_PRICE_FEN:
        raise Misuse("product.price_out_of_range", most=MAX_PRICE_FEN // 100)
    row = await repository.product(work.session, product_id, lock=True)
    if row is None:
        if await repository.count_products(work.session) >= MAX_PRODUCTS:
            raise Misuse("product.too_many", most=MAX_PRODUCTS)
        row = ProductRow(id=product_id, capability=capability, units=units)
    elif (row.capability, row.units) != (capability, units):
        raise Misuse("product.size_fixed", product_id=product_id, units=row.units, capability=row.capability)
    before = None if row.price_fen is None else {"price_fen": row.price_fen, "on_sale": row.on_sale}
    row.price_fen, row.on_sale = price_fen, on_sale
    await add(work.session, row)
    await trail.record(
        work, "product.set", f"product {product_id}", None, capability=capability, units=units,
        before=before, after={"price_fen": price_fen, "on_sale": on_sale},
    )  # fmt: skip
    return row


async def place_order(
    work: UnitOfWork,
    account_id: str,
    quantities: Mapping[str, int],
    *,
    approval: str,
    app_id: str | None = None,
    voucher: str | None = None,
) -> OrderRow:
    """Place an order. `quantities`: product id → number of packs. `approval` is the setting: "operator" leaves
    it pending, "immediate" creates its packs at once, "voucher" requires a voucher that covers the whole amount.

    Raises Misuse for an unknown or suspended account, an unknown app, product or voucher, and for quantities out of
    range.
    """
    order, lines = await insert_order(work, account_id, quantities, app_id=app_id)
    if voucher:
        used = await voucher_for(work, account_id, code=voucher)
        order.discount_fen = await redeem(work, used, order, lines, order.ordered_at)
        order.voucher_number = used.number
    covered = order.discount_fen == order.amount_fen
    order.payment = "voucher" if order.discount_fen and covered else "offline"
    order.paid_at = order.ordered_at
    await work.session.flush()
    await record_placed(work, order, lines)
    if approval == "voucher" and not covered:
        raise Misuse("order.voucher_required")
    if approval in ("immediate", "voucher"):
        await create_packs(work, order)
    return order


async def insert_order(
    work: UnitOfWork, account_id: str, quantities: Mapping[str, int], *, app_id: str | None, state: str = PENDING
) -> tuple[OrderRow, list[OrderLineRow]]:
    """A new order and its lines at the prices of now, without discount. Raises Misuse as `place_order`."""
    account = await accounts.get_account(work, account_id)
    if account.suspended_at is not None:
        raise Misuse("account.suspended", name=account.name)
    if app_id is not None:
        await accounts.check_app_of(work, app_id, account)
    now = await work.checked_now()
    order = OrderRow(
        id=ids.new(),
        number=_new_order_number(now),
        account_id=account_id,
        app_id=app_id,
        state=state,
        amount_fen=0,
        discount_fen=0,
        ordered_at=now,
    )
    lines = await _lines(work, order.id, quantities)
    order.amount_fen = sum(line.quantity * line.price_fen for line in lines)
    await add(work.session, order)
    await add(work.session, *lines)
    return order, lines


async def record_placed(work: UnitOfWork, order: OrderRow, lines: Sequence[OrderLineRow]) -> None:
    """Record a new order in the audit trail."""
    await trail.record(
        work,
        "order.place",
        f"order {order.number}",
        order.account_id,
        amount_fen=order.amount_fen,
        discount_fen=order.discount_fen,
        products=" ".join(f"{line.product_id}={line.quantity}" for line in lines),
    )


async def approve_order(work: UnitOfWork, number: str) -> OrderRow:
    """Create the packs of a pending order. They are used in order of the order time; their validity begins now."""
    order = await _get_pending_order(work, number)
    await create_packs(work, order)
    return order


async def reject_order(work: UnitOfWork, number: str, *, cancelled: bool = False) -> OrderRow:
    """Close an order without packs (`cancelled`: by the customer, who may also close an unpaid one); its voucher may
    be used again."""
    order = await _get_pending_order(work, number, or_unpaid=cancelled)
    await _decide(work, order, CANCELLED if cancelled else REJECTED, before=order.state)
    await repository.release_voucher(work.session, order.id)
    return order


async def create_packs(work: UnitOfWork, order: OrderRow) -> None:
    """Make a pending order active, and its packs. Raises Misuse when it is no longer pending."""
    await _decide(work, order, ACTIVE)
    lines = await repository.lines(work.session, order.id)
    lines.sort(key=lambda each: each.capability)  # one global order of locking meters avoids deadlocks
    pack_lines = [line for line in lines for _ in range(line.quantity)]
    allocations = allocate_discount(
        order.discount_fen, [each.price_fen for each in pack_lines], await _goods_pack_index(work, order, pack_lines)
    )
    for line, share in zip(pack_lines, allocations, strict=True):
        await grant_pack(
            work,
            order.account_id,
            line.capability,
            line.units,
            app_id=order.app_id,
            ordered_at=order.ordered_at,
            order_id=order.id,
            price_fen=line.price_fen - share,  # a refund returns only what was paid
        )


async def _goods_pack_index(work: UnitOfWork, order: OrderRow, pack_lines: Sequence[OrderLineRow]) -> int | None:
    """Index of the pack that a goods voucher is for; None without such a voucher."""
    voucher = await repository.voucher_of(work.session, order.id) if order.discount_fen else None
    if voucher is None or voucher.kind != "goods":
        return None
    return next((index for index, each in enumerate(pack_lines) if each.product_id == voucher.product_id), None)


async def _decide(work: UnitOfWork, order: OrderRow, state: str, *, before: str = PENDING) -> None:
    now = await work.checked_now()
    decided = await repository.decide_order(work.session, order.id, state, now, work.actor[:64], before=before)
    await work.session.refresh(order)
    if not decided:
        raise Misuse("order.decided", number=order.number, state=order.state)
    pays = order.amount_fen - order.discount_fen
    await trail.record(work, f"order.{state}", f"order {order.number}", order.account_id, pays_fen=pays)


async def _get_pending_order(work: UnitOfWork, number: str, *, or_unpaid: bool = False) -> OrderRow:
    """An order that was pending (or unpaid) when it was read; `_decide` checks again."""
    order = await repository.order(work.session, number)
    if order is None:
        raise Misuse("order.not_found", number=number)
    if order.state == UNPAID and not or_unpaid:
        raise Misuse("order.unpaid", number=number)
    if order.state != PENDING and not (or_unpaid and order.state == UNPAID):
        raise Misuse("order.decided", number=number, state=order.state)
    return order


async def _lines(work: UnitOfWork, order_id: str, quantities: Mapping[str, int]) -> list[OrderLineRow]:
    lines: list[OrderLineRow] = []
    if len(quantities) > MAX_LINES:
        raise Misuse("order.line_limit", most=MAX_LINES)
    for product_id, quantity in quantities.items():
        product = await repository.product(work.session, product_id)
        if product is None or not product.on_sale:
            raise Misuse("product.not_on_sale", product_id=product_id)
        if not 0 < quantity <= MAX_QUANTITY:
            raise Misuse("order.quantity_out_of_range", most=MAX_QUANTITY)
        lines.append(
            OrderLineRow(
                order_id=order_id,
                line=len(lines),
                product_id=product.id,
                capability=product.capability,
                units=product.units,
                quantity=quantity,
                price_fen=product.price_fen,
            )
        )
    if not lines:
        raise Misuse("order.empty")
    return lines


def _new_order_number(now: datetime) -> str:
    """Twenty digits: date and time in Beijing, then six random digits (format of manual 4.1)."""
    return now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S") + f"{secrets.randbelow(10**6):06d}"
