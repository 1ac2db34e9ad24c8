"""Account balance 账户余额 (manual 7.1): entries that are only added, each with the balance after it.

A change locks the row of the account, after the locks of orders and meters: the order of locks is the same everywhere.
Amounts are integers in fen.
"""

from __future__ import annotations

from inkgate.service import money
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.rules import storable
from inkgate.service.audit import trail
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.orders import repository
from inkgate.service.orders.models import BalanceEntryRow

TOP_UP, WITHDRAWAL, PAYMENT, REFUND = "top-up", "withdrawal", "payment", "refund"
MAX_FEN = 10**12
"""Of one change, and of a balance."""
MAX_NOTE_CHARACTERS = 200


async def change_balance(work: UnitOfWork, account_id: str, amount_fen: int, note: str = "") -> BalanceEntryRow:
    """Top up (`amount_fen` above 0) or withdraw (below 0) the balance of a main account.

    Raises Misuse for an unknown account or a sub-account, an amount out of range, or less balance than withdrawn.
    """
    if len(note) > MAX_NOTE_CHARACTERS:
        raise Misuse("balance.note_too_long", most=MAX_NOTE_CHARACTERS)
    if not storable(note):
        raise Misuse("balance.note_unstorable")
    if amount_fen == 0 or abs(amount_fen) > MAX_FEN:
        raise Misuse("balance.amount_invalid", most=MAX_FEN // 100)
    account = await accounts.get_account(work, account_id)
    if account.parent_id is not None:
        raise Misuse("balance.sub_account")
    return await _enter(work, account_id, TOP_UP if amount_fen > 0 else WITHDRAWAL, amount_fen, note=note)


async def pay(work: UnitOfWork, account_id: str, amount_fen: int, order_id: str, number: str) -> None:
    """Pay an order. Raises Misuse when the balance does not cover `amount_fen` (above 0)."""
    await _enter(work, account_id, PAYMENT, -amount_fen, note=number, order_id=order_id)


async def pay_back(work: UnitOfWork, account_id: str, amount_fen: int, refund_id: str, number: str) -> None:
    """Return the payment of a refunded pack; nothing happens for 0 fen. `number` is that of the order."""
    if amount_fen:
        await _enter(work, account_id, REFUND, amount_fen, note=number, refund_id=refund_id)


async def _enter(
    work: UnitOfWork,
    account_id: str,
    kind: str,
    amount_fen: int,
    *,
    note: str,
    order_id: str | None = None,
    refund_id: str | None = None,
) -> BalanceEntryRow:
    await repository.lock_account(work.session, account_id)
    last = await repository.last_entry(work.session, account_id)
    held = last.balance_fen if last else 0
    if held + amount_fen < 0:
        raise Misuse("balance.insufficient", balance=money.plain(held), needed=money.plain(-amount_fen))
    if held + amount_fen > MAX_FEN:
        raise Misuse("balance.too_large", most=MAX_FEN // 100)
    entry = BalanceEntryRow(
        account_id=account_id,
        seq=(last.seq if last else 0) + 1,
        kind=kind,
        amount_fen=amount_fen,
        balance_fen=held + amount_fen,
        order_id=order_id,
        refund_id=refund_id,
        note=note,
        entered_at=await work.checked_now(),
        entered_by=work.actor[:64],
    )
    await add(work.session, entry)
    await trail.record(
        work, f"balance.{kind}", f"balance of {account_id}", account_id,
        fen=amount_fen, balance_fen=entry.balance_fen, reason=note,
    )  # fmt: skip
    return entry
