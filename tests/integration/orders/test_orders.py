"""Orders create packs in order of purchase; vouchers reduce the price; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inkgate.service.accounts import service as accounts
from inkgate.service.db import work
from inkgate.service.db.clock import one_year_later
from inkgate.service.errors import Misuse
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import PackRow
from inkgate.service.orders import repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.vouchers import issue_voucher
from tests.ledger_data import CustomerData


async def packs(customer: CustomerData) -> list[PackRow]:
    async with work.read_session(customer.engine) as session:
        return await metering.packs_of(session, customer.account_id)


async def test_the_catalogue_holds_the_manuals_sizes_and_prices(customer: CustomerData) -> None:
    async with work.read_session(customer.engine) as session:
        rows = [(row.capability, row.units, row.price_fen // 100) for row in await repository.products(session)]
    sizes = (100_000, 1_000_000, 5_000_000, 10_000_000)
    prices = {"general": (450, 3200, 11500, 22000)} | dict.fromkeys(("idcard", "plate"), (1350, 9600, 39000, 78000))
    assert rows == [
        (capability, units, price)
        for capability in ("general", "idcard", "plate")
        for units, price in zip(sizes, prices[capability], strict=True)
    ]


async def test_validity_begins_with_the_approval(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        order = await orders.place_order(
            unit, customer.account_id, {"general-100k": 2, "plate-1m": 1}, approval="operator"
        )
    assert (order.state, order.amount_fen, len(order.number)) == ("pending", 2 * 45_000 + 960_000, 20)
    assert await packs(customer) == []
    customer.clock.advance(hours=5)
    async with work.unit_of_work(customer.engine, "admin", customer.clock) as unit:
        await orders.approve_order(unit, order.number)
    made = await packs(customer)
    assert [(pack.capability, pack.total, pack.price_fen) for pack in made] == [
        ("general", 100_000, 45_000),
        ("general", 100_000, 45_000),
        ("plate", 1_000_000, 960_000),
    ]
    assert {pack.ordered_at for pack in made} == {order.ordered_at}
    assert {pack.starts_at for pack in made} == {customer.clock.time}
    assert {pack.ends_at for pack in made} == {one_year_later(customer.clock.time)}
    async with work.unit_of_work(customer.engine, "admin", customer.clock) as unit:
        with pytest.raises(Misuse, match="active already"):
            await orders.approve_order(unit, order.number)


async def test_an_order_approved_late_keeps_its_place_in_the_order_of_purchase(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        early = await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="operator")
    customer.clock.advance(hours=1)
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="immediate")
        await orders.approve_order(unit, early.number)
    await customer.ledger().settle(customer.call(7))
    assert [(pack.order_id == early.id, pack.used) for pack in await packs(customer)] == [(True, 7), (False, 0)]


async def test_rejected_and_cancelled_orders_make_no_packs(customer: CustomerData) -> None:
    for cancelled in (False, True):
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            order = await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="operator")
            await orders.reject_order(unit, order.number, cancelled=cancelled)
        assert order.state == ("cancelled" if cancelled else "rejected")
    assert await packs(customer) == []


async def test_an_order_of_a_sub_account_gives_packs_to_the_main_one(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        child = await accounts.create_account(unit, "child", parent_id=customer.account_id)
        await orders.place_order(unit, child.id, {"general-100k": 1}, approval="immediate")
    assert len(await packs(customer)) == 1


async def test_an_order_may_bind_its_packs_to_one_app(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="immediate", app_id=customer.app.app_id
        )
    assert [pack.app_id for pack in await packs(customer)] == [customer.app.app_id]


@pytest.mark.parametrize("quantities", [{}, {"nothing": 1}, {"general-100k": 0}, {"general-100k": 101}])
async def test_invalid_orders(customer: CustomerData, quantities: dict[str, int]) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        with pytest.raises(Misuse):
            await orders.place_order(unit, customer.account_id, quantities, approval="immediate")


async def test_a_product_off_sale_is_not_sold_and_a_new_price_is_for_new_orders(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await orders.set_product(unit, "tiny", "general", 1000, 900)
        old = await orders.place_order(unit, customer.account_id, {"tiny": 1}, approval="operator")
        await orders.set_product(unit, "tiny", "general", 1000, 1200)
        new = await orders.place_order(unit, customer.account_id, {"tiny": 1}, approval="operator")
        with pytest.raises(Misuse, match="new size"):
            await orders.set_product(unit, "tiny", "general", 2000, 1200)
        await orders.set_product(unit, "tiny", "general", 1000, 1200, on_sale=False)
        with pytest.raises(Misuse, match="on sale"):
            await orders.place_order(unit, customer.account_id, {"tiny": 1}, approval="operator")
    assert (old.amount_fen, new.amount_fen) == (900, 1200)


@pytest.mark.parametrize(
    ("kind", "value", "product", "discount"),
    [
        ("credit", 10_000, None, 10_000),
        ("credit", 10**9, None, 90_000),
        ("percent", 25, None, 22_500),
        ("goods", 1, "general-100k", 45_000),
    ],
)
async def test_vouchers(customer: CustomerData, kind: str, value: int, product: str | None, discount: int) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, kind, value, product_id=product)
        order = await orders.place_order(
            unit, customer.account_id, {"general-100k": 2}, approval="immediate", voucher=code
        )
        assert order.discount_fen == discount
        with pytest.raises(Misuse, match="been used"):
            await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=code)
    assert sum(pack.price_fen for pack in await packs(customer)) == order.amount_fen - discount


async def test_a_voucher_of_a_rejected_order_may_be_used_again(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)
        order = await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=code
        )
        await orders.reject_order(unit, order.number)
        again = await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=code
        )
    assert again.discount_fen == 100


async def test_vouchers_that_do_not_apply(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        other = await accounts.create_account(unit, "other")
        theirs = await issue_voucher(unit, "credit", 100, account_id=other.id)
        short = await issue_voucher(unit, "credit", 100, ends_at=customer.clock.time + timedelta(hours=1))
        plates = await issue_voucher(unit, "goods", product_id="plate-100k")
    customer.clock.advance(hours=1)
    for code, message in ((theirs, "no such"), (short, "not valid"), (plates, "another product"), ("x", "no such")):
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            with pytest.raises(Misuse, match=message):
                await orders.place_order(
                    unit, customer.account_id, {"general-100k": 1}, approval="immediate", voucher=code
                )


async def test_where_vouchers_decide_only_a_covering_one_makes_packs(customer: CustomerData) -> None:
    async def order(value: int) -> None:
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            code = await issue_voucher(unit, "credit", value)
            await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="voucher", voucher=code)

    with pytest.raises(Misuse, match="covers it whole"):
        await order(44_999)
    assert await packs(customer) == []
    await order(45_000)
    assert [pack.price_fen for pack in await packs(customer)] == [0]
