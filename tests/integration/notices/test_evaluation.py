"""Conditions begin and end once each; each beginning is announced once on each channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.accounts import service as accounts
from inkgate.service.db import work
from inkgate.service.metering import service as metering
from inkgate.service.notices import conditions, thresholds
from inkgate.service.notices.conditions import Balance
from inkgate.service.notices.kinds import ChannelKind, Condition, Kind, Thresholds
from inkgate.service.notices.models import NoticeRow
from inkgate.service.orders import refunds
from inkgate.service.orders import service as orders
from tests.integration.notices.conftest import NoticeStage

HOOK = {"url": "http://127.0.0.1:9/hook"}


def states(rows: Sequence[NoticeRow]) -> list[tuple[str, str]]:
    return [(row.kind, row.state) for row in rows]


async def test_a_low_balance_is_announced_once_and_again_after_a_refill(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    customer = stage.customer
    await customer.grant(100)
    assert await stage.round() == 0
    await customer.ledger().settle(customer.call(89))
    assert await stage.round() == 1, "11 of 100 are left and last less than a week at 89 units a day"
    assert await stage.round() == 0
    [row] = await stage.outbox()
    assert (row.kind, row.account_id) == ("low_balance", customer.account_id)
    assert {"left": 11, "total": 100, "capability": "general", "account": "main"}.items() <= row.params.items()
    assert row.params["rate"] == 89.0 and row.params["days"] == 0.1
    await customer.grant(100_000)
    assert await stage.round() == 0
    assert states(await stage.outbox()) == [("low_balance", "cancelled")], "what has ended needs no notice"
    await customer.ledger().settle(customer.call(99_000))
    assert await stage.round() == 1
    assert states(await stage.outbox()) == [("low_balance", "cancelled"), ("low_balance", "waiting")]


async def test_a_share_alone_makes_a_balance_low(make_stage: Callable[..., NoticeStage]) -> None:
    stage = make_stage(low_days=0)
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    customer = stage.customer
    await customer.grant(100)
    await customer.ledger().settle(customer.call(89))
    assert await stage.round() == 0, "11 %"
    await customer.ledger().settle(customer.call(1))
    assert await stage.round() == 1, "10 %"


async def test_an_account_has_its_own_thresholds(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    customer = stage.customer
    await customer.grant(100)
    await customer.ledger().settle(customer.call(40))
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await thresholds.set_own(unit, customer.account_id, Thresholds(70, 0, 0))
    assert await stage.round() == 1, "60 % is at most 70 %"
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        await thresholds.set_own(unit, customer.account_id, Thresholds(0, 0, 0))
    await stage.round()
    assert states(await stage.outbox()) == [("low_balance", "cancelled")]


async def test_packs_that_end_on_one_day_are_one_notice(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, own=True, **HOOK)
    customer = stage.customer
    end = customer.clock.time + timedelta(days=15)
    used_up = await customer.grant(5, ends_at=end)
    await customer.ledger().settle(customer.call(5))
    for _ in range(2):
        await customer.grant(50, ends_at=end)
    await customer.grant(70, capability="plate", ends_at=end + timedelta(days=300))
    assert await stage.round() == 0
    customer.clock.advance(days=2)
    assert await stage.round() == 1
    [row] = await stage.outbox()
    assert (row.kind, row.params["packs"], row.params["left"]) == ("pack_expiring", 2, 100)
    assert await customer.used(used_up) == 5
    customer.clock.advance(days=14)
    await stage.round()
    assert states(await stage.outbox()) == [("pack_expiring", "cancelled")]


async def test_waiting_orders_and_refunds_are_announced_to_operators_only(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, name="operators", **HOOK)
    await stage.channel(ChannelKind.WEBHOOK, name="customer", own=True, **HOOK)
    customer = stage.customer
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        order = await orders.place_order(unit, customer.account_id, {"general-100k": 1}, approval="operator")
        paid = await orders.place_order(unit, customer.account_id, {"plate-100k": 1}, approval="immediate")
    assert paid.state == "active"
    assert await stage.round() == 0, "it waits for a minute only"
    customer.clock.advance(minutes=10)
    assert await stage.round() == 1
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        [pack] = await metering.packs_of(unit.session, customer.account_id)
        await refunds.request_refund(unit, pack.id, "bought twice", decision="operator")
        await orders.approve_order(unit, order.number)
    customer.clock.advance(minutes=10)
    assert await stage.round() == 1
    rows = await stage.outbox()
    assert states(rows) == [("order_waiting", "cancelled"), ("refund_waiting", "waiting")]
    assert {row.channel_name for row in rows} == {"operators"}
    assert rows[0].params["number"] == order.number and rows[1].params["fen"] == 135_000


async def test_customers_get_notices_of_their_own_account_only(stage: NoticeStage) -> None:
    customer = stage.customer
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        other = await accounts.create_account(unit, "other")
        await metering.grant_pack(unit, other.id, "general", 5, ends_at=customer.clock.time + timedelta(days=3))
    await stage.channel(ChannelKind.WEBHOOK, own=True, **HOOK)
    await stage.channel(ChannelKind.WEBHOOK, kinds=("pack_expiring",), **HOOK)
    assert await stage.round() == 1
    [row] = await stage.outbox()
    assert (row.account_id, row.owner_id) == (other.id, None)


async def test_a_new_channel_gets_what_holds_already(stage: NoticeStage) -> None:
    customer = stage.customer
    await customer.grant(10, ends_at=customer.clock.time + timedelta(days=3))
    assert await stage.round() == 0
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    assert await stage.round() == 1
    assert await stage.round() == 0


async def test_concurrent_rounds_announce_once(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    customer = stage.customer
    await customer.grant(10, ends_at=customer.clock.time + timedelta(days=3))
    for _ in range(3):
        customer.clock.advance(minutes=1)
        posted = await asyncio.gather(*(stage.evaluator().run_round() for _ in range(6)))
        assert sum(each is not None for each in posted) == 1
    assert len(await stage.outbox()) == 1


async def test_what_cannot_be_checked_does_not_end_a_condition(stage: NoticeStage) -> None:
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    answers: list[Sequence[Condition] | Exception | None] = [
        [Condition("workers_down", Kind.WORKERS_DOWN, None, {"seconds": 130})],
        None,
        OSError("the queue does not answer"),
        [Condition("workers_down", Kind.WORKERS_DOWN, None, {"seconds": 300})],
        [],
        [Condition("workers_down", Kind.WORKERS_DOWN, None, {"seconds": 130})],
    ]

    async def check() -> Sequence[Condition] | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage.checks[Kind.WORKERS_DOWN] = check
    assert [await stage.round() for _ in range(6)] == [1, 0, 0, 0, 0, 1]


async def test_old_notices_are_forgotten(make_stage: Callable[..., NoticeStage]) -> None:
    stage = make_stage(kept_days=5)
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    await stage.customer.grant(10, ends_at=stage.customer.clock.time + timedelta(days=3))
    await stage.round()
    stage.customer.clock.advance(days=4)
    await stage.round()
    assert states(await stage.outbox()) == [("pack_expiring", "cancelled")]
    stage.customer.clock.advance(days=4)
    await stage.round()
    assert await stage.outbox() == []


@settings(max_examples=300)
@given(
    total=st.integers(1, 10**12),
    share=st.floats(0, 1),
    rate=st.floats(0, 10**9),
    percent=st.integers(0, 100),
    days=st.integers(0, 365),
)
def test_low_is_what_the_thresholds_say(total: int, share: float, rate: float, percent: int, days: int) -> None:
    """Against the words of the page: a share of the units, or days at the present rate; 0 switches a rule off."""
    left = int(total * share)
    low = Balance("a", "general", left, total, rate).is_low(Thresholds(percent, days, 0))
    by_share = percent > 0 and left <= total * percent / 100
    by_days = days > 0 and rate > 0 and left / rate <= days
    assert low == (by_share or by_days)
    if low:  # hysteresis widens, it never narrows
        assert Balance("a", "general", left, total, rate).is_low(Thresholds(percent, days, 0), conditions.RECOVERY)
