"""Payment of an order (manual 4.1): placed unpaid, then paid with the balance, a voucher, or outside the service.

The order is taken by an UPDATE guarded by its unpaid state, so that the second of two concurrent payments is refused;
everything else of a payment, from the voucher to the packs, is in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from inkgate.service import money
from inkgate.service.audit import trail
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.orders import balance, repository
from inkgate.service.orders.models import OrderRow
from inkgate.service.orders.service import UNPAID, create_packs, insert_order, record_placed
from inkgate.service.orders.vouchers import redeem, voucher_for

PAYMENT_WINDOW = timedelta(hours=24)
"""An unpaid order keeps its prices for this long; afterwards it cannot be paid."""
MAX_UNPAID = 20  # orders of an account that can still be paid
BALANCE, VOUCHER, OFFLINE = "balance", "voucher", "offline"
METHODS = (BALANCE, VOUCHER, OFFLINE)


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of payments: `approval` of offline payments (see `place_order`), and the `methods` that are on."""

    approval: str
    methods: tuple[str, ...]

    @property
    def offered(self) -> tuple[str, ...]:
        """The methods that an order can be paid with: where only vouchers are accepted, none outside the service."""
        return tuple(each for each in self.methods if each != OFFLINE or self.approval != VOUCHER)


def payable(order: OrderRow, now: datetime) -> bool:
    """Whether the order is unpaid and its time to pay has not ended."""
    return order.state == UNPAID and now <= order.ordered_at + PAYMENT_WINDOW


async def place_unpaid(
    work: UnitOfWork, account_id: str, quantities: Mapping[str, int], *, app_id: str | None = None
) -> OrderRow:
    """Place an order that awaits its payment. Raises Misuse as `place_order`, and for too many unpaid orders."""
    since = await work.checked_now() - PAYMENT_WINDOW
    if await repository.count_unpaid(work.session, account_id, since) >= MAX_UNPAID:
        raise Misuse("order.unpaid_limit", most=MAX_UNPAID)
    order, lines = await insert_order(work, account_id, quantities, app_id=app_id, state=UNPAID)
    await record_placed(work, order, lines)
    return order


async def pay_order(
    work: UnitOfWork, number: str, method: str, terms: Terms, *, code: str = "", voucher_number: str = ""
) -> OrderRow:
    """Pay an order, completely or not at all. A voucher, by its code or by its number among those of the account,
    reduces the amount; `method` pays the rest. The order becomes active, or pending when an operator must confirm an
    offline payment.

    Raises Misuse for an order that is not unpaid or was placed too long ago, a method that is not offered, a voucher
    that does not apply or leaves a rest to a payment by voucher alone, and a balance that is too small.
    """
    order = await repository.order(work.session, number)
    if order is None:
        raise Misuse("order.not_found", number=number)
    if order.state != UNPAID:
        raise Misuse("order.decided", number=number, state=order.state)
    now = await work.checked_now()
    if not payable(order, now):
        raise Misuse("order.payment_late", hours=PAYMENT_WINDOW // timedelta(hours=1))
    if method not in terms.offered:
        raise Misuse("order.payment_unknown", choices=terms.offered)
    if not await repository.take_unpaid(work.session, order.id, now):
        await work.session.refresh(order)
        raise Misuse("order.decided", number=number, state=order.state)
    await work.session.refresh(order)
    await _use_voucher(work, order, now, code, voucher_number)
    rest = order.amount_fen - order.discount_fen
    if method == VOUCHER and rest:
        raise Misuse("order.not_covered", rest=money.plain(rest))
    order.payment = VOUCHER if order.discount_fen and not rest else method
    await work.session.flush()
    await trail.record(
        work, "order.pay", f"order {number}", order.account_id, by=order.payment, fen=rest,
        discount_fen=order.discount_fen,
    )  # fmt: skip
    if order.payment == OFFLINE and terms.approval == "operator":
        return order
    await create_packs(work, order)
    if order.payment == BALANCE and rest:
        await balance.pay(work, order.account_id, rest, order.id, number)  # the lock of the account comes last
    return order


async def _use_voucher(work: UnitOfWork, order: OrderRow, now: datetime, code: str, voucher_number: str) -> None:
    if not code and not voucher_number:
        return
    voucher = await voucher_for(work, order.account_id, code=code, number=voucher_number)
    lines = await repository.lines(work.session, order.id)
    order.discount_fen = await redeem(work, voucher, order, lines, now)
    order.voucher_number = voucher.number
