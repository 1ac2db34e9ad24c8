"""Refunds 退订 (manual 2.3, 7.2; M9): a whole, unused pack, within 7 x 24 hours of its order.

While a request is pending the pack remains usable. Decision and deduction both lock the meter's row: if the deduction
commits first, the refund fails; otherwise the pack can no longer be used. A refund is decided by an UPDATE guarded by
the pending state, so the second of two concurrent decisions is refused.
"""

from __future__ import annotations

from datetime import timedelta

from inkgate.service.accounts.rules import storable
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import REFUNDED, PackRow
from inkgate.service.metering.service import pack_name
from inkgate.service.metering.settle import Meter, lock_meter
from inkgate.service.orders import balance, repository
from inkgate.service.orders.models import RefundRow

REFUND_WINDOW = timedelta(days=7)
MAX_REASON_CHARACTERS = 500
PENDING, APPROVED, REJECTED, FAILED = "pending", "approved", "rejected", "failed"
WITHDRAWN = "withdrawn"


async def request_refund(work: UnitOfWork, pack_id: str, reason: str = "", *, decision: str = "operator") -> RefundRow:
    """Request the refund of a pack. `decision` is the setting: "automatic" approves at once.

    Raises Misuse when the pack is unknown, granted without an order, used, refunded, or ordered too long ago.
    """
    _check_reason(reason)
    pack, _ = await _locked(work, pack_id)
    now = await work.checked_now()
    if pack.order_id is None:
        raise Misuse("refund.pack_granted")
    if pack.state == REFUNDED:
        raise Misuse("refund.pack_refunded")
    if pack.used:
        raise Misuse("refund.pack_used")
    if now > pack.ordered_at + REFUND_WINDOW:
        raise Misuse("refund.too_late", days=REFUND_WINDOW.days)
    if await repository.pending_refund(work.session, pack_id):
        raise Misuse("refund.pending")
    refund = RefundRow(
        id=ids.new(),
        pack_id=pack_id,
        account_id=pack.account_id,
        state=PENDING,
        amount_fen=pack.price_fen,
        reason=reason,
        requested_at=now,
    )
    await add(work.session, refund)
    await trail.record(
        work, "refund.request", f"pack {pack_id}", pack.account_id, name=pack_name(pack), fen=refund.amount_fen
    )
    if decision == "automatic":
        return await approve_refund(work, refund.id)
    return refund


async def approve_refund(work: UnitOfWork, refund_id: str) -> RefundRow:
    """Refund the pack. If it was used meanwhile, the state of the returned refund is "failed".

    What was paid with the balance returns to the balance; other payments are returned by the operator. The voucher of
    the order may be used again once all packs of the order are refunded.
    """
    refund = await _pending_refund(work, refund_id)
    pack, meter = await _locked(work, refund.pack_id)
    if pack.used:
        return await _decide(work, refund, FAILED)
    decided = await _decide(work, refund, APPROVED)
    if not await repository.refund_pack(work.session, pack.id, meter.seq):
        raise Misuse("refund.pack_refunded")
    await work.session.refresh(pack)
    await _pay_back(work, refund, pack)
    return decided


async def reject_refund(work: UnitOfWork, refund_id: str, note: str = "") -> RefundRow:
    """Reject the request; the pack stays valid. `note` is the reason that the customer sees."""
    _check_reason(note)
    return await _decide(work, await _pending_refund(work, refund_id), REJECTED, note)


async def withdraw_refund(work: UnitOfWork, refund_id: str) -> RefundRow:
    """Withdraw the request, at the customer's wish; the pack stays valid."""
    return await _decide(work, await _pending_refund(work, refund_id), WITHDRAWN)


async def _pay_back(work: UnitOfWork, refund: RefundRow, pack: PackRow) -> None:
    """Return a payment to the balance that it came from, and the voucher after the last pack of its order."""
    assert pack.order_id is not None
    order = await repository.lock_order(work.session, pack.order_id)
    assert order is not None
    if not await repository.has_active_packs(work.session, order.id):
        await repository.release_voucher(work.session, order.id)
    if order.payment == "balance":
        await balance.pay_back(work, refund.account_id, refund.amount_fen, refund.id, order.number)


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON_CHARACTERS:
        raise Misuse("refund.reason_too_long", most=MAX_REASON_CHARACTERS)
    if not storable(reason):
        raise Misuse("refund.reason_unstorable")


async def _decide(work: UnitOfWork, refund: RefundRow, state: str, note: str = "") -> RefundRow:
    now = await work.checked_now()
    decided = await repository.decide_refund(work.session, refund.id, state, now, work.actor[:64], note=note)
    await work.session.refresh(refund)
    if not decided:  # decided by another transaction since it was read
        raise Misuse("refund.decided", state=refund.state)
    pack = await repository.pack(work.session, refund.pack_id)
    await trail.record(
        work, f"refund.{state}", f"pack {refund.pack_id}", refund.account_id,
        name=pack_name(pack) if pack else None, fen=refund.amount_fen,
        reason=note,
    )  # fmt: skip
    return refund


async def _pending_refund(work: UnitOfWork, refund_id: str) -> RefundRow:
    refund = await repository.refund(work.session, refund_id)
    if refund is None:
        raise Misuse("refund.not_found", refund_id=refund_id)
    if refund.state != PENDING:
        raise Misuse("refund.decided", state=refund.state)
    return refund


async def _locked(work: UnitOfWork, pack_id: str) -> tuple[PackRow, Meter]:
    """The pack, read under its meter's lock, and that meter."""
    pack = await repository.pack(work.session, pack_id)
    if pack is None:
        raise Misuse("pack.not_found", pack_id=pack_id)
    connection = await work.session.connection()
    meter = await lock_meter(connection, pack.account_id, pack.capability, work.clock)
    fresh = await repository.pack(work.session, pack_id)
    assert fresh is not None
    return fresh, meter
