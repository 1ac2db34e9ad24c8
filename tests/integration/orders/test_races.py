"""Concurrent decisions on the same order or refund: the first one counts, the second is refused. On a real Postgres."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.metering import service as metering
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.settle import settle_batch
from inkgate.service.orders import refunds, repository
from inkgate.service.orders import service as orders
from inkgate.service.orders.models import OrderRow, RefundRow, VoucherRow
from inkgate.service.orders.vouchers import issue_voucher
from tests.concurrency import Outcome, after_a_look, attempt, overlapping
from tests.ledger_data import CustomerData

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
MODES = ("overlapping", "after a look")


async def place(customer: CustomerData, voucher: str | None = None) -> str:
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        order = await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=voucher
        )
    return order.number


async def pending_refund(customer: CustomerData) -> tuple[str, str]:
    """(refund id, pack id) of a requested refund."""
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="immediate")
        pack = (await metering.packs_of(unit.session, customer.account_id))[-1]
        refund = await refunds.request_refund(unit, pack.id)
    return refund.id, pack.id


async def row(customer: CustomerData, model: Any, key: str) -> Any:
    async with work.read_session(customer.engine) as session:
        return await session.get_one(model, key)


def decide_order(word: str, number: str) -> Any:
    async def act(unit: UnitOfWork) -> OrderRow:
        if word == "approve":
            return await orders.approve_order(unit, number)
        return await orders.reject_order(unit, number, cancelled=word == "cancel")

    return act


def decide_refund(word: str, refund_id: str) -> Any:
    async def act(unit: UnitOfWork) -> RefundRow:
        return await {"approve": refunds.approve_refund, "reject": refunds.reject_refund}[word](unit, refund_id)

    return act


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("second", ["approve", "reject", "cancel"])
@pytest.mark.parametrize("first", ["approve", "reject", "cancel"])
async def test_an_order_is_decided_once(customer: CustomerData, first: str, second: str, mode: str) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)
    number = await place(customer, code)
    acts = decide_order(first, number), decide_order(second, number)
    if mode == "overlapping":
        outcome = await overlapping(customer.engine, *acts, customer.clock)
    else:
        outcome = await after_a_look(
            customer.engine, lambda unit: repository.order(unit.session, number), *acts, customer.clock
        )
    decided = {"approve": "active", "reject": "rejected", "cancel": "cancelled"}[first]
    assert isinstance(outcome.second, Misuse) and str(outcome.second) == f"order {number} is {decided} already"
    async with work.read_session(customer.engine) as session:
        order = await repository.order(session, number)
        packs = await session.scalar(select(func.count()).select_from(PackRow))
        voucher = await session.scalar(select(VoucherRow))
    assert order is not None and voucher is not None
    assert (order.state, order.decided_by, packs) == (decided, "first", 1 if first == "approve" else 0)
    assert voucher.order_id == (order.id if first == "approve" else None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("second", ["approve", "reject"])
@pytest.mark.parametrize("first", ["approve", "reject"])
async def test_a_refund_is_decided_once(customer: CustomerData, first: str, second: str, mode: str) -> None:
    refund_id, pack_id = await pending_refund(customer)
    acts = decide_refund(first, refund_id), decide_refund(second, refund_id)
    if mode == "overlapping":
        outcome = await overlapping(customer.engine, *acts, customer.clock)
    else:
        outcome = await after_a_look(
            customer.engine, lambda unit: repository.refund(unit.session, refund_id), *acts, customer.clock
        )
    decided = {"approve": "approved", "reject": "rejected"}[first]
    refund, pack = await row(customer, RefundRow, refund_id), await row(customer, PackRow, pack_id)
    assert (refund.state, refund.decided_by) == (decided, "first")
    assert pack.state == ("refunded" if first == "approve" else "active")
    assert isinstance(outcome.second, Misuse) and str(outcome.second) == f"the refund is {decided} already"


async def settle(customer: CustomerData, unit: UnitOfWork) -> list[Any]:
    connection = await unit.session.connection()
    return (await settle_batch(connection, customer.account_id, "general", [customer.call()], customer.clock)).outcomes


@pytest.mark.parametrize("first", ["approve", "settle"])
async def test_a_refund_against_a_deduction(customer: CustomerData, first: str) -> None:
    refund_id, pack_id = await pending_refund(customer)
    acts = [decide_refund("approve", refund_id), lambda unit: settle(customer, unit)]
    outcome = await overlapping(customer.engine, *(acts if first == "approve" else reversed(acts)), customer.clock)
    refund, pack = await row(customer, RefundRow, refund_id), await row(customer, PackRow, pack_id)
    if first == "approve":
        assert outcome.second == [51002]
        assert (refund.state, pack.state, pack.used) == ("approved", "refunded", 0)
    else:
        assert (refund.state, pack.state, pack.used) == ("failed", "active", 1)


@pytest.mark.parametrize("first", ["request", "settle"])
async def test_a_request_for_a_refund_against_a_deduction(customer: CustomerData, first: str) -> None:
    refund_id, pack_id = await pending_refund(customer)
    await attempt(customer.engine, "test", decide_refund("reject", refund_id), customer.clock)
    acts = [lambda unit: refunds.request_refund(unit, pack_id), lambda unit: settle(customer, unit)]
    outcome = await overlapping(customer.engine, *(acts if first == "request" else reversed(acts)), customer.clock)
    if first == "request":
        assert (outcome.first.state, (await row(customer, PackRow, pack_id)).used) == ("pending", 1)
    else:
        assert str(outcome.second) == "a pack that has been used is not refunded"


async def test_a_refund_is_requested_once(customer: CustomerData) -> None:
    refund_id, pack_id = await pending_refund(customer)
    await attempt(customer.engine, "test", decide_refund("reject", refund_id), customer.clock)

    async def ask(unit: UnitOfWork) -> RefundRow:
        return await refunds.request_refund(unit, pack_id)

    outcome = await overlapping(customer.engine, ask, ask, customer.clock)
    assert (outcome.first.state, str(outcome.second)) == ("pending", "a refund of this pack is pending already")


@pytest.mark.parametrize("first", ["approve", "reject"])
async def test_a_new_request_against_a_decision(customer: CustomerData, first: str) -> None:
    refund_id, pack_id = await pending_refund(customer)
    outcome: Outcome = await overlapping(
        customer.engine,
        decide_refund(first, refund_id),
        lambda unit: refunds.request_refund(unit, pack_id),
        customer.clock,
    )
    pack = await row(customer, PackRow, pack_id)
    async with work.read_session(customer.engine) as session:
        states = sorted(each.state for each in await repository.refunds(session))
    if first == "approve":
        assert (states, pack.state) == (["approved"], "refunded")
        assert str(outcome.second) == "the pack has been refunded"
    else:
        # A request does not wait for a rejection that is under way: it sees the pending one and says so.
        assert (states, pack.state) == (["rejected"], "active")
        assert str(outcome.second) == "a refund of this pack is pending already"


async def test_a_voucher_pays_once(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)

    async def order(unit: UnitOfWork) -> OrderRow:
        return await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=code
        )

    outcome = await overlapping(customer.engine, order, order, customer.clock)
    assert (outcome.first.discount_fen, str(outcome.second)) == (100, "the voucher has been used")


async def test_a_released_voucher_pays_the_order_that_waited_for_it(customer: CustomerData) -> None:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        code = await issue_voucher(unit, "credit", 100)
    number = await place(customer, code)

    async def order(unit: UnitOfWork) -> OrderRow:
        return await orders.place_order(
            unit, customer.account_id, {"general-100k": 1}, approval="operator", voucher=code
        )

    outcome = await overlapping(customer.engine, decide_order("cancel", number), order, customer.clock)
    async with work.read_session(customer.engine) as session:
        voucher = await session.scalar(select(VoucherRow))
    assert voucher is not None and voucher.order_id == outcome.second.id


async def test_a_new_product_is_made_once(customer: CustomerData) -> None:
    def make(price: int) -> Any:
        return lambda unit: orders.set_product(unit, "tiny", "general", 1000, price)

    outcome = await overlapping(customer.engine, make(900), make(1200), customer.clock)
    assert "at the same time" in str(outcome.second)
    async with work.read_session(customer.engine) as session:
        product = await repository.product(session, "tiny")
    assert product is not None and product.price_fen == 900
