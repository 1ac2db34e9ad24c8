"""Discounts are allocated to packs, exact to the fen; a refund returns the price paid for the pack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.db import work
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import packs_of
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.orders.discounts import allocate_discount
from inkgate.service.orders.vouchers import issue_voucher
from tests.ledger_data import CustomerData

PRICES = st.lists(st.integers(0, 10**12), min_size=1, max_size=300)


@given(PRICES, st.data())
def test_shares_add_up_and_none_is_more_than_its_pack_costs(prices: list[int], data: st.DataObject) -> None:
    discount = data.draw(st.integers(0, sum(prices)))
    goods = data.draw(st.none() | st.integers(0, len(prices) - 1))
    found = allocate_discount(discount, prices, goods)
    assert sum(found) == discount
    assert all(0 <= share <= price for share, price in zip(found, prices, strict=True))
    if goods is not None:
        assert found[goods] >= min(discount, prices[goods])
    elif sum(prices):
        exact = [discount * price / sum(prices) for price in prices]
        assert all(abs(share - each) < 1 + each * 1e-9 for share, each in zip(found, exact, strict=True))


@pytest.mark.parametrize(
    ("discount", "prices", "goods", "expected"),
    [
        (100, [300, 300, 300], None, [34, 33, 33]),
        (1, [1, 1], None, [1, 0]),
        (99, [100, 900], None, [10, 89]),
        (500, [900, 500, 500], 1, [0, 500, 0]),
        (600, [900, 500, 100], 1, [90, 500, 10]),
        (0, [0, 0], None, [0, 0]),
        (7, [7], 0, [7]),
    ],
)
def test_shares(discount: int, prices: list[int], goods: int | None, expected: list[int]) -> None:
    assert allocate_discount(discount, prices, goods) == expected


@pytest.mark.parametrize("discount", [-1, 11])
def test_a_discount_out_of_range_is_refused(discount: int) -> None:
    with pytest.raises(ValueError, match="discount"):
        allocate_discount(discount, [4, 6])


async def bought(customer: CustomerData, kind: str, value: int, product: str | None, approval: str) -> list[PackRow]:
    """The packs of an order of three products that a voucher was used for."""
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, kind, value, product_id=product)
        quantities = {"plate-100k": 2, "general-100k": 1, "idcard-100k": 1}
        order = await orders.place_order(unit, customer.account_id, quantities, approval=approval, voucher=code)
    if approval == "operator":
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await orders.approve_order(unit, order.number)
    async with work.read_session(customer.engine) as session:
        return await packs_of(session, customer.account_id)


@pytest.mark.parametrize("approval", ["immediate", "operator"])
async def test_a_goods_voucher_pays_for_its_own_product_alone(customer: CustomerData, approval: str) -> None:
    packs = await bought(customer, "goods", 1, "plate-100k", approval)
    paid = sorted((pack.capability, pack.price_fen) for pack in packs)
    assert paid == [("general", 45_000), ("idcard", 135_000), ("plate", 0), ("plate", 135_000)]


async def test_a_credit_is_allocated_in_proportion_and_refunds_return_the_price(customer: CustomerData) -> None:
    packs = await bought(customer, "credit", 10_000, None, "immediate")
    assert sorted((pack.capability, pack.price_fen) for pack in packs) == [
        ("general", 44_000),
        ("idcard", 132_000),
        ("plate", 132_000),
        ("plate", 132_000),
    ]
    back = 0
    for pack in packs:
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            back += (await refunds.request_refund(unit, pack.id, decision="automatic")).amount_fen
    assert back == 450_000 - 10_000
