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
from tests.money import House


async def buy(house: House) -> str:
    async with work.begin(house.engine, "test", house.clock) as unit:
        order = await orders.place_order(unit, house.account_id, {"general-100k": 1}, approval="immediate")
        packs = await metering.packs_of(unit.session, house.account_id)
        return next(pack.id for pack in packs if pack.order_id == order.id)


async def request(house: House, pack_id: str, decision: str = "operator") -> RefundRow:
    async with work.begin(house.engine, "customer", house.clock) as unit:
        return await refunds.request_refund(unit, pack_id, "bought by mistake", decision=decision)


async def approve(house: House, refund: RefundRow) -> RefundRow:
    async with work.begin(house.engine, "admin", house.clock) as unit:
        return await refunds.approve_refund(unit, refund.id)


async def test_an_unused_pack_is_refunded_whole(house: House) -> None:
    refund = await approve(house, await request(house, await buy(house)))
    assert (refund.state, refund.amount_fen, refund.decided_by) == ("approved", 45_000, "admin")
    with pytest.raises(Refused) as caught:
        await house.ledger().settle(house.call())
    assert caught.value.code == 51002


async def test_refund_against_deduction_the_deduction_first(house: House) -> None:
    pack = await buy(house)
    refund = await request(house, pack)
    await house.ledger().settle(house.call())  # the pack stays in the queue while the request is pending
    assert (await approve(house, refund)).state == "failed"
    assert await house.used(pack) == 1
    with pytest.raises(Misuse, match="failed already"):
        await approve(house, refund)


async def test_refund_against_deduction_at_the_same_time(house: House) -> None:
    pack = await buy(house)
    refund = await request(house, pack)
    ledger = house.ledger()
    decided, settled = await asyncio.gather(approve(house, refund), ledger.settle(house.call()), return_exceptions=True)
    assert isinstance(decided, RefundRow)
    if decided.state == "approved":
        assert isinstance(settled, Refused) and await house.used(pack) == 0
    else:
        assert (decided.state, settled, await house.used(pack)) == ("failed", True, 1)


async def test_a_refund_is_asked_for_within_seven_days_of_the_order(house: House) -> None:
    pack = await buy(house)
    house.clock.pass_(days=7, seconds=1)
    with pytest.raises(Misuse, match="within 7 days"):
        await request(house, pack)
    house.clock.pass_(seconds=-1)
    refund = await request(house, pack)
    house.clock.pass_(days=5)  # the operator's working days do not count against the customer
    assert (await approve(house, refund)).state == "approved"


async def test_what_is_not_refunded(house: House) -> None:
    granted = await house.grant(10)
    used = await buy(house)
    ledger = house.ledger()
    await ledger.settle(house.call(11))
    pending = await buy(house)
    refund = await request(house, pending)
    for pack, message in ((granted, "granted"), (used, "used"), (pending, "pending"), (refund.id, "no pack")):
        with pytest.raises(Misuse, match=message):
            await request(house, pack)
    await approve(house, refund)
    with pytest.raises(Misuse, match="been refunded"):
        await request(house, pending)


async def test_a_rejected_refund_leaves_the_pack_and_may_be_asked_again(house: House) -> None:
    pack = await buy(house)
    refund = await request(house, pack)
    async with work.begin(house.engine, "admin", house.clock) as unit:
        assert (await refunds.reject_refund(unit, refund.id)).state == "rejected"
    assert await house.ledger().settle(house.call())
    with pytest.raises(Misuse, match="used"):
        await request(house, pack)


async def test_refunds_may_be_decided_by_the_rules_alone(house: House) -> None:
    assert (await request(house, await buy(house), decision="automatic")).state == "approved"
