"""Payment of orders: balance, voucher and offline, once and exactly, and back the same way; on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from inkgate.service.accounts import service as accounts
from inkgate.service.db import work
from inkgate.service.db.hashes import hash_token
from inkgate.service.errors import Misuse
from inkgate.service.metering import service as metering
from inkgate.service.orders import balance, payments, refunds, repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.models import BalanceEntryRow, OrderRow, RefundRow, VoucherRow
from inkgate.service.orders.payments import Terms
from inkgate.service.orders.vouchers import claim_voucher, issue_voucher
from tests.ledger_data import CustomerData

OPERATOR = Terms("operator", payments.METHODS)
PRICE = 45_000  # fen, of general-100k


async def top_up(customer: CustomerData, fen: int) -> None:
    async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
        await balance.change_balance(unit, customer.account_id, fen, "transfer 7")


async def placed(customer: CustomerData, quantity: int = 1) -> str:
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        return (await payments.place_unpaid(unit, customer.account_id, {"general-100k": quantity})).number


async def paid(
    customer: CustomerData, number: str, method: str, terms: Terms = OPERATOR, *, code: str = "", own: str = ""
) -> OrderRow:
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        return await payments.pay_order(unit, number, method, terms, code=code, voucher_number=own)


async def issued(customer: CustomerData, kind: str, value: int = 1, **more: str) -> str:
    async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
        return await issue_voucher(unit, kind, value, **more)  # type: ignore[arg-type]


async def refunded(customer: CustomerData, pack_id: str) -> RefundRow:
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        return await refunds.request_refund(unit, pack_id, decision="automatic")


async def entries(customer: CustomerData) -> list[tuple[str, int, int]]:
    """Kind, amount and balance of the entries, oldest first."""
    async with work.read_session(customer.engine) as session:
        found = await repository.entries(session, customer.account_id)
        return [(each.kind, each.amount_fen, each.balance_fen) for each in reversed(found)]


async def packs(customer: CustomerData) -> list[str]:
    """The ids of the packs that were bought."""
    async with work.read_session(customer.engine) as session:
        return [each.id for each in await metering.packs_of(session, customer.account_id) if each.order_id]


async def test_an_order_is_paid_with_the_balance_and_refunded_to_it(customer: CustomerData) -> None:
    await top_up(customer, 100_000)
    order = await paid(customer, await placed(customer, 2), "balance")
    assert (order.state, order.payment, order.paid_at) == ("active", "balance", customer.clock.time)
    (first, _) = await packs(customer)
    await refunded(customer, first)
    assert await entries(customer) == [
        ("top-up", 100_000, 100_000),
        ("payment", -90_000, 10_000),
        ("refund", 45_000, 55_000),
    ]


async def test_a_balance_that_is_too_small_changes_nothing(customer: CustomerData) -> None:
    await top_up(customer, PRICE - 1)
    number = await placed(customer)
    with pytest.raises(Misuse, match=r"449\.99 yuan does not cover 450\.00 yuan"):
        await paid(customer, number, "balance")
    async with work.read_session(customer.engine) as session:
        order = await repository.order(session, number)
        assert order is not None and (order.state, order.payment) == ("unpaid", None)
    assert await packs(customer) == [] and len(await entries(customer)) == 1


async def test_two_payments_of_an_order_at_the_same_time_pay_once(customer: CustomerData) -> None:
    await top_up(customer, 10 * PRICE)
    number = await placed(customer)
    results = await asyncio.gather(*(paid(customer, number, "balance") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, OrderRow) for each in results) == 1
    assert all(isinstance(each, OrderRow | Misuse) for each in results), results
    assert len(await packs(customer)) == 1
    assert await entries(customer) == [("top-up", 450_000, 450_000), ("payment", -PRICE, 405_000)]


async def test_payments_of_several_orders_at_the_same_time_never_overdraw(customer: CustomerData) -> None:
    await top_up(customer, 2 * PRICE)
    numbers = [await placed(customer) for _ in range(4)]
    results = await asyncio.gather(*(paid(customer, each, "balance") for each in numbers), return_exceptions=True)
    assert sum(isinstance(each, OrderRow) for each in results) == 2
    assert all("does not cover" in str(each) for each in results if not isinstance(each, OrderRow)), results
    assert [each[2] for each in await entries(customer)] == [2 * PRICE, PRICE, 0]
    assert len(await packs(customer)) == 2


async def test_a_payment_and_a_refund_at_the_same_time_both_count(customer: CustomerData) -> None:
    await top_up(customer, 2 * PRICE)
    await paid(customer, await placed(customer), "balance")
    (pack,) = await packs(customer)
    number = await placed(customer)
    await asyncio.gather(refunded(customer, pack), paid(customer, number, "balance"))
    found = await entries(customer)
    assert found[-1][2] == PRICE and sum(each[1] for each in found) == PRICE


async def test_the_database_itself_refuses_a_second_payment_and_an_overdraft(customer: CustomerData) -> None:
    await top_up(customer, 2 * PRICE)
    order = await paid(customer, await placed(customer), "balance")
    async with work.read_session(customer.engine) as session:
        last = await repository.last_entry(session, customer.account_id)
        assert last is not None

    def entry(**changes: object) -> BalanceEntryRow:
        values = {
            "account_id": customer.account_id, "seq": 3, "kind": "payment", "amount_fen": -1, "balance_fen": 0,
            "order_id": None, "refund_id": None, "note": "", "entered_at": customer.clock.time, "entered_by": "x",
        }  # fmt: skip
        return BalanceEntryRow(**{**values, **changes})

    for row in (entry(order_id=order.id), entry(balance_fen=-1), entry(seq=2), entry(kind="top-up")):
        with pytest.raises((IntegrityError, Misuse)):
            async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
                unit.session.add(row)


async def test_a_voucher_that_covers_an_order_pays_it_and_comes_back_with_the_last_refund(
    customer: CustomerData,
) -> None:
    code = await issued(customer, "credit", 2 * PRICE)
    order = await paid(customer, await placed(customer, 2), "voucher", code=code)
    assert (order.state, order.payment, order.voucher_number) == ("active", "voucher", hash_token(code)[:12])
    first, second = await packs(customer)
    assert (await refunded(customer, first)).amount_fen == 0
    with pytest.raises(Misuse, match="been used"):
        await paid(customer, await placed(customer), "voucher", code=code)
    await refunded(customer, second)
    assert (await paid(customer, await placed(customer), "voucher", code=code)).state == "active"
    assert await entries(customer) == []


async def test_the_rest_after_a_voucher_is_paid_with_the_balance_and_returns_there(customer: CustomerData) -> None:
    await top_up(customer, PRICE)
    code = await issued(customer, "credit", 10_001)
    with pytest.raises(Misuse, match=r"349\.99 yuan are left"):
        await paid(customer, number := await placed(customer), "voucher", code=code)
    order = await paid(customer, number, "balance", code=code)
    assert (order.payment, order.discount_fen) == ("balance", 10_001)
    (pack,) = await packs(customer)
    assert (await refunded(customer, pack)).amount_fen == PRICE - 10_001
    assert (await entries(customer))[-1] == ("refund", 34_999, PRICE)


async def test_a_voucher_of_the_account_is_chosen_by_its_number(customer: CustomerData) -> None:
    code = await issued(customer, "goods", product_id="general-100k")
    number = hash_token(code)[:12]
    with pytest.raises(Misuse, match="no such voucher"):
        await paid(customer, order := await placed(customer), "voucher", own=number)  # it belongs to no one yet
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        await claim_voucher(unit, customer.account_id, code)
    with pytest.raises(Misuse, match="yours already"):
        async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
            await claim_voucher(unit, customer.account_id, code)
    for wrong in ("", "%" * 12, number[:11], "0" * 12):
        with pytest.raises(Misuse):
            await paid(customer, order, "voucher", own=wrong)
    assert (await paid(customer, order, "voucher", own=number)).state == "active"


async def test_a_voucher_is_claimed_by_one_account(customer: CustomerData) -> None:
    code = await issued(customer, "percent", 50)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        other = await accounts.create_account(unit, "Other")

    async def claimed(account_id: str) -> VoucherRow:
        async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
            return await claim_voucher(unit, account_id, code)

    results = await asyncio.gather(claimed(customer.account_id), claimed(other.id), return_exceptions=True)
    assert sorted(isinstance(each, Misuse) for each in results) == [False, True]
    async with work.read_session(customer.engine) as session:
        assert await session.scalar(select(VoucherRow.account_id)) in (customer.account_id, other.id)


async def test_offline_payments_follow_the_approval(customer: CustomerData) -> None:
    pending = await paid(customer, await placed(customer), "offline")
    assert (pending.state, pending.payment) == ("pending", "offline")
    async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
        assert (await orders.approve_order(unit, pending.number)).state == "active"
    at_once = await paid(customer, await placed(customer), "offline", Terms("immediate", payments.METHODS))
    assert at_once.state == "active"
    assert Terms("voucher", payments.METHODS).offered == ("balance", "voucher")
    with pytest.raises(Misuse, match="one of"):
        await paid(customer, await placed(customer), "offline", Terms("voucher", payments.METHODS))
    with pytest.raises(Misuse, match="one of"):
        await paid(customer, await placed(customer), "balance", Terms("operator", ("offline",)))


async def test_an_unpaid_order_is_paid_within_a_day_at_its_price(customer: CustomerData) -> None:
    early, late = await placed(customer), await placed(customer)
    async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
        await orders.set_product(unit, "general-100k", "general", 100_000, PRICE * 2)
    customer.clock.advance(days=1)
    assert (await paid(customer, early, "offline")).amount_fen == PRICE
    customer.clock.advance(seconds=1)
    with pytest.raises(Misuse, match="within 24 hours"):
        await paid(customer, late, "offline")
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        assert (await orders.reject_order(unit, late, cancelled=True)).state == "cancelled"
        with pytest.raises(Misuse, match="cancelled already"):
            await payments.pay_order(unit, late, "offline", OPERATOR)


async def test_an_operator_cannot_decide_an_unpaid_order(customer: CustomerData) -> None:
    number = await placed(customer)
    for decide in (orders.approve_order, orders.reject_order):
        with pytest.raises(Misuse, match="has not been paid"):
            async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
                await decide(unit, number)


async def test_unpaid_orders_are_limited_and_make_room_after_a_day(
    customer: CustomerData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "MAX_UNPAID", 2)
    first, _ = await placed(customer), await placed(customer)
    with pytest.raises(Misuse, match="at most 2 unpaid"):
        await placed(customer)
    await paid(customer, first, "offline")
    await placed(customer)
    customer.clock.advance(days=1, seconds=1)
    await placed(customer)


async def test_balances_are_of_main_accounts_within_bounds(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        sub = await accounts.create_account(unit, "Sub", parent_id=customer.account_id)
    await top_up(customer, 500)
    wrong = [
        (sub.id, 1, "", "a sub-account has no balance"),
        (customer.account_id, 0, "", "not 0"),
        (customer.account_id, balance.MAX_FEN + 1, "", "at most"),
        (customer.account_id, balance.MAX_FEN, "", "a balance is at most"),
        (customer.account_id, -501, "", "5.00 yuan does not cover 5.01"),
        (customer.account_id, 1, "x" * 201, "at most 200"),
        (customer.account_id, 1, "\x00", "cannot be stored"),
    ]
    for account_id, fen, note, message in wrong:
        with pytest.raises(Misuse, match=message):
            async with work.unit_of_work(customer.engine, "operator", customer.clock) as unit:
                await balance.change_balance(unit, account_id, fen, note)
    await top_up(customer, -500)
    assert await entries(customer) == [("top-up", 500, 500), ("withdrawal", -500, 0)]
