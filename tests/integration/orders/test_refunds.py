"""Refunds: a whole, unused pack within seven days; a deduction makes a pending one fail; on both databases."""

from __future__ import annotations

import asyncio

import pytest

from inkgate.service.db import work
from inkgate.service.errors import Misuse, Refused
from inkgate.service.metering import service as metering
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from inkgate.service.orders.models import RefundRow
from tests.ledger_data import CustomerData


async def buy(customer: CustomerData) -> str:
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        order = await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="immediate")
        packs = await metering.packs_of(unit.session, customer.account_id)
        return next(pack.id for pack in packs if pack.order_id == order.id)


async def request(customer: CustomerData, pack_id: str, decision: str = "operator") -> RefundRow:
    async with work.unit_of_work(customer.engine, "customer", customer.clock) as unit:
        return await refunds.request_refund(unit, pack_id, "bought by mistake", decision=decision)


async def approve(customer: CustomerData, refund: RefundRow) -> RefundRow:
    async with work.unit_of_work(customer.engine, "admin", customer.clock) as unit:
        return await refunds.approve_refund(unit, refund.id)


async def test_an_unused_pack_is_refunded_whole(customer: CustomerData) -> None:
    refund = await approve(customer, await request(customer, await buy(customer)))
    assert (refund.state, refund.amount_fen, refund.decided_by) == ("approved", 45_000, "admin")
    with pytest.raises(Refused) as caught:
        await customer.ledger().settle(customer.call())
    assert caught.value.code == 51002


async def test_refund_against_deduction_the_deduction_first(customer: CustomerData) -> None:
    pack = await buy(customer)
    refund = await request(customer, pack)
    await customer.ledger().settle(customer.call())  # the pack stays usable while the request is pending
    assert (await approve(customer, refund)).state == "failed"
    assert await customer.used(pack) == 1
    with pytest.raises(Misuse, match="failed already"):
        await approve(customer, refund)


async def test_refund_against_deduction_at_the_same_time(customer: CustomerData) -> None:
    pack = await buy(customer)
    refund = await request(customer, pack)
    ledger = customer.ledger()
    decided, settled = await asyncio.gather(
        approve(customer, refund), ledger.settle(customer.call()), return_exceptions=True
    )
    assert isinstance(decided, RefundRow)
    if decided.state == "approved":
        assert isinstance(settled, Refused) and await customer.used(pack) == 0
    else:
        assert (decided.state, settled, await customer.used(pack)) == ("failed", True, 1)


async def test_a_refund_is_requested_within_seven_days_of_the_order(customer: CustomerData) -> None:
    pack = await buy(customer)
    customer.clock.advance(days=7, seconds=1)
    with pytest.raises(Misuse, match="within 7 days"):
        await request(customer, pack)
    customer.clock.advance(seconds=-1)
    refund = await request(customer, pack)
    customer.clock.advance(days=5)  # the time of the decision does not matter
    assert (await approve(customer, refund)).state == "approved"


async def test_packs_that_are_not_refunded(customer: CustomerData) -> None:
    granted = await customer.grant(10)
    used = await buy(customer)
    ledger = customer.ledger()
    await ledger.settle(customer.call(11))
    pending = await buy(customer)
    refund = await request(customer, pending)
    for pack, message in ((granted, "granted"), (used, "used"), (pending, "pending"), (refund.id, "no pack")):
        with pytest.raises(Misuse, match=message):
            await request(customer, pack)
    await approve(customer, refund)
    with pytest.raises(Misuse, match="been refunded"):
        await request(customer, pending)


async def test_a_rejected_refund_may_be_requested_again(customer: CustomerData) -> None:
    pack = await buy(customer)
    refund = await request(customer, pack)
    async with work.unit_of_work(customer.engine, "admin", customer.clock) as unit:
        assert (await refunds.reject_refund(unit, refund.id)).state == "rejected"
    assert await customer.ledger().settle(customer.call())
    with pytest.raises(Misuse, match="used"):
        await request(customer, pack)


async def test_refunds_may_be_decided_automatically(customer: CustomerData) -> None:
    assert (await request(customer, await buy(customer), decision="automatic")).state == "approved"
