"""Two who decide about the same money at once: the first one counts, the second is told so. On a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from inkgate.service.db import work
from inkgate.service.db.work import Work
from inkgate.service.errors import Misuse
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.settle import settle_batch
from inkgate.service.orders import refunds, repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.models import OrderRow, RefundRow, VoucherRow
from inkgate.service.orders.vouchers import issue_voucher
from tests.money import House
from tests.races import Outcome, after_a_look, attempt, overlapping

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
MODES = ("overlapping", "after a look")


async def place(house: House, voucher: str | None = None) -> str:
    async with work.begin(house.engine, "customer", house.clock) as unit:
        order = await orders.place_order(
            unit, house.account_id, {"general-100k": 1}, approval="operator", voucher=voucher
        )
    return order.number


async def pending_refund(house: House) -> tuple[str, str]:
    """(refund, its pack), bought and asked back."""
    async with work.begin(house.engine, "customer", house.clock) as unit:
        await orders.place_order(unit, house.account_id, {"general-100k": 1}, approval="immediate")
        pack = (await metering.packs_of(unit.session, house.account_id))[-1]
        refund = await refunds.request_refund(unit, pack.id)
    return refund.id, pack.id


async def row(house: House, model: Any, key: str) -> Any:
    async with work.reading(house.engine) as session:
        return await session.get_one(model, key)


def decide_order(word: str, number: str) -> Any:
    async def act(unit: Work) -> OrderRow:
        if word == "approve":
            return await orders.approve_order(unit, number)
        return await orders.reject_order(unit, number, cancelled=word == "cancel")

    return act


def decide_refund(word: str, refund_id: str) -> Any:
    async def act(unit: Work) -> RefundRow:
        return await {"approve": refunds.approve_refund, "reject": refunds.reject_refund}[word](unit, refund_id)

    return act


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("second", ["approve", "reject", "cancel"])
@pytest.mark.parametrize("first", ["approve", "reject", "cancel"])
async def test_an_order_is_decided_once(house: House, first: str, second: str, mode: str) -> None:
    async with work.begin(house.engine, "test", house.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)
    number = await place(house, code)
    acts = decide_order(first, number), decide_order(second, number)
    if mode == "overlapping":
        outcome = await overlapping(house.engine, *acts, house.clock)
    else:
        outcome = await after_a_look(
            house.engine, lambda unit: repository.order(unit.session, number), *acts, house.clock
        )
    decided = {"approve": "active", "reject": "rejected", "cancel": "cancelled"}[first]
    assert isinstance(outcome.second, Misuse) and str(outcome.second) == f"order {number} is {decided} already"
    async with work.reading(house.engine) as session:
        order = await repository.order(session, number)
        packs = await session.scalar(select(func.count()).select_from(PackRow))
        voucher = await session.scalar(select(VoucherRow))
    assert order is not None and voucher is not None
    assert (order.state, order.decided_by, packs) == (decided, "first", 1 if first == "approve" else 0)
    assert voucher.order_id == (order.id if first == "approve" else None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("second", ["approve", "reject"])
@pytest.mark.parametrize("first", ["approve", "reject"])
async def test_a_refund_is_decided_once(house: House, first: str, second: str, mode: str) -> None:
    refund_id, pack_id = await pending_refund(house)
    acts = decide_refund(first, refund_id), decide_refund(second, refund_id)
    if mode == "overlapping":
        outcome = await overlapping(house.engine, *acts, house.clock)
    else:
        outcome = await after_a_look(
            house.engine, lambda unit: repository.refund(unit.session, refund_id), *acts, house.clock
        )
    decided = {"approve": "approved", "reject": "rejected"}[first]
    refund, pack = await row(house, RefundRow, refund_id), await row(house, PackRow, pack_id)
    assert (refund.state, refund.decided_by) == (decided, "first")
    assert pack.state == ("refunded" if first == "approve" else "active")
    assert isinstance(outcome.second, Misuse) and str(outcome.second) == f"the refund is {decided} already"


async def settle(house: House, unit: Work) -> list[Any]:
    connection = await unit.session.connection()
    return (await settle_batch(connection, house.account_id, "general", [house.call()], house.clock)).verdicts


@pytest.mark.parametrize("first", ["approve", "settle"])
async def test_a_refund_against_a_deduction(house: House, first: str) -> None:
    refund_id, pack_id = await pending_refund(house)
    acts = [decide_refund("approve", refund_id), lambda unit: settle(house, unit)]
    outcome = await overlapping(house.engine, *(acts if first == "approve" else reversed(acts)), house.clock)
    refund, pack = await row(house, RefundRow, refund_id), await row(house, PackRow, pack_id)
    if first == "approve":
        assert outcome.second == [51002]
        assert (refund.state, pack.state, pack.used) == ("approved", "refunded", 0)
    else:
        assert (refund.state, pack.state, pack.used) == ("failed", "active", 1)


@pytest.mark.parametrize("first", ["request", "settle"])
async def test_a_request_for_a_refund_against_a_deduction(house: House, first: str) -> None:
    refund_id, pack_id = await pending_refund(house)
    await attempt(house.engine, "test", decide_refund("reject", refund_id), house.clock)
    acts = [lambda unit: refunds.request_refund(unit, pack_id), lambda unit: settle(house, unit)]
    outcome = await overlapping(house.engine, *(acts if first == "request" else reversed(acts)), house.clock)
    if first == "request":
        assert (outcome.first.state, (await row(house, PackRow, pack_id)).used) == ("pending", 1)
    else:
        assert str(outcome.second) == "a pack that has been used is not refunded"


async def test_a_pack_is_asked_back_once(house: House) -> None:
    refund_id, pack_id = await pending_refund(house)
    await attempt(house.engine, "test", decide_refund("reject", refund_id), house.clock)

    async def ask(unit: Work) -> RefundRow:
        return await refunds.request_refund(unit, pack_id)

    outcome = await overlapping(house.engine, ask, ask, house.clock)
    assert (outcome.first.state, str(outcome.second)) == ("pending", "a refund of this pack is pending already")


@pytest.mark.parametrize("first", ["approve", "reject"])
async def test_a_new_request_against_a_decision(house: House, first: str) -> None:
    refund_id, pack_id = await pending_refund(house)
    outcome: Outcome = await overlapping(
        house.engine, decide_refund(first, refund_id), lambda unit: refunds.request_refund(unit, pack_id), house.clock
    )
    pack = await row(house, PackRow, pack_id)
    async with work.reading(house.engine) as session:
        states = sorted(each.state for each in await repository.refunds(session))
    if first == "approve":
        assert (states, pack.state) == (["approved"], "refunded")
        assert str(outcome.second) == "the pack has been refunded"
    else:
        # A request does not wait for a rejection that is under way: it sees the pending one and says so.
        assert (states, pack.state) == (["rejected"], "active")
        assert str(outcome.second) == "a refund of this pack is pending already"


async def test_a_voucher_pays_once(house: House) -> None:
    async with work.begin(house.engine, "test", house.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)

    async def order(unit: Work) -> OrderRow:
        return await orders.place_order(unit, house.account_id, {"general-100k": 1}, approval="operator", voucher=code)

    outcome = await overlapping(house.engine, order, order, house.clock)
    assert (outcome.first.discount_fen, str(outcome.second)) == (100, "the voucher has been used")


async def test_a_voucher_that_is_set_free_pays_the_order_that_waited_for_it(house: House) -> None:
    async with work.begin(house.engine, "test", house.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)
    number = await place(house, code)

    async def order(unit: Work) -> OrderRow:
        return await orders.place_order(unit, house.account_id, {"general-100k": 1}, approval="operator", voucher=code)

    outcome = await overlapping(house.engine, decide_order("cancel", number), order, house.clock)
    async with work.reading(house.engine) as session:
        voucher = await session.scalar(select(VoucherRow))
    assert voucher is not None and voucher.order_id == outcome.second.id


async def test_a_new_product_is_made_once(house: House) -> None:
    def make(price: int) -> Any:
        return lambda unit: orders.set_product(unit, "tiny", "general", 1000, price)

    outcome = await overlapping(house.engine, make(900), make(1200), house.clock)
    assert "at the same time" in str(outcome.second)
    async with work.reading(house.engine) as session:
        product = await repository.product(session, "tiny")
    assert product is not None and product.price_fen == 900
