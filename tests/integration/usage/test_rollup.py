"""Queries over days and over hours give the same totals, for every query and every boundary of the rollup."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text

from inkgate.service.accounts import service as accounts
from inkgate.service.db import ids, work
from inkgate.service.usage import latency, repository, rollup
from inkgate.service.usage.models import UNKNOWN_ID, DayRow, HourRow, RefusalRow, RollupStateRow
from inkgate.service.usage.repository import Scope, UsageTotals
from tests.ledger_data import START, CustomerData

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = rollup.day_of(START)
ASKED: tuple[Sequence[str], ...] = (
    (),
    ("app",),
    ("capability",),
    ("code",),
    ("account",),
    ("app", "code"),
    ("capability", "code"),
    ("day",),
    ("day", "app"),
    ("day", "capability", "code"),
)


@pytest.fixture
async def family(customer: CustomerData) -> tuple[str, list[str]]:
    """A sub-account's id, and the apps of the main account (two) and of the sub-account (one)."""
    second = await customer.another_app()
    async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
        sub = await accounts.create_account(unit, "sub", parent_id=customer.account_id)
        third = await accounts.create_app(unit, customer.vault, sub.id, "app_of_sub")
    return sub.id, [customer.app.app_id, second.app_id, third.app_id]


async def hours(customer: CustomerData, apps: Sequence[str], first: datetime, count: int, seed: int = 5) -> None:
    """Totals of some hours, settled and refused, some of another account and some of an unknown caller."""
    dice, other_app = random.Random(seed), ids.new()
    settled, refused = [], []
    for number in range(count):
        for app in (*apps, other_app):
            account = other_app if app == other_app else customer.account_id
            key = {"hour": first + number * HOUR, "app_id": app, "account_id": account}
            for capability, code in (("general", 0), ("general", 400011), ("licence", 0)):
                calls = [dice.randrange(3) for _ in latency.COLUMNS]
                sums = {name: dice.randrange(1000) for name in repository.BASE_MEASURES} | {"calls": sum(calls)}
                settled.append(
                    key
                    | {"capability": capability, "code": code}
                    | sums
                    | dict(zip(latency.COLUMNS, calls, strict=True))
                )
            refused.append(key | {"capability": "plate", "code": 51002, "calls": dice.randrange(1, 9)})
        unknown = {
            "hour": first + number * HOUR,
            "app_id": UNKNOWN_ID,
            "account_id": customer.account_id,
            "capability": "",
        }
        refused.append(unknown | {"code": 40002, "calls": 3})
    async with customer.engine.begin() as connection:
        for start in range(0, len(settled), 200):
            await connection.execute(insert(HourRow), settled[start : start + 200])
        await connection.execute(insert(RefusalRow), refused)


async def answers(customer: CustomerData, sub_id: str, apps: Sequence[str]) -> list[list[UsageTotals]]:
    """All queries, over several scopes and periods."""
    found = []
    spans = [
        (MIDNIGHT, MIDNIGHT + 3 * DAY),
        (MIDNIGHT + 5 * HOUR, MIDNIGHT + 2 * DAY + 7 * HOUR),
        (MIDNIGHT + 30 * HOUR, MIDNIGHT + 33 * HOUR),
        (MIDNIGHT - DAY, MIDNIGHT + 9 * DAY),
    ]
    async with work.read_session(customer.engine) as session:
        for since, until in spans:
            for scope in (
                Scope(since, until),
                Scope(since, until, customer.account_id),
                Scope(since, until, customer.account_id, sub_id=sub_id),
                Scope(since, until, customer.account_id, apps[:1]),
                Scope(since, until, customer.account_id, capability="general"),
                Scope(since, until, customer.account_id, []),
            ):
                for by in ASKED:
                    rows = await repository.totals(session, scope, by, times=True)
                    found.append(sorted(rows, key=lambda row: tuple(map(str, row.key))))
    return found


async def rolled(customer: CustomerData) -> datetime | None:
    async with work.read_session(customer.engine) as session:
        return await session.scalar(select(RollupStateRow.until))


async def test_days_give_the_totals_of_the_hours(customer: CustomerData, family: tuple[str, list[str]]) -> None:
    sub_id, apps = family
    await hours(customer, apps, MIDNIGHT, 62)
    customer.clock.time = MIDNIGHT + 61 * HOUR + timedelta(minutes=40)
    before = await answers(customer, sub_id, apps)
    assert len({row.requests for rows in before for row in rows}) > 100
    assert await rollup.roll_up(customer.engine, customer.clock) == 3
    assert await rolled(customer) == MIDNIGHT + 61 * HOUR
    async with work.read_session(customer.engine) as session:
        assert await session.scalar(select(func.count(DayRow.day.distinct()))) == 3
    assert await answers(customer, sub_id, apps) == before
    # Whole days are read from their sums, not from the hours.
    async with customer.engine.begin() as connection:
        await connection.execute(delete(HourRow).where(HourRow.hour < MIDNIGHT + 2 * DAY))
    async with work.read_session(customer.engine) as session:
        (whole,) = await repository.totals(session, Scope(MIDNIGHT, MIDNIGHT + 3 * DAY))
    assert whole == UsageTotals((), **{name: getattr(before[0][0], name) for name in repository.COUNTED})


async def test_a_round_adds_the_hours_that_have_ended(customer: CustomerData, family: tuple[str, list[str]]) -> None:
    sub_id, apps = family
    assert await rollup.roll_up(customer.engine, customer.clock) == 0  # no hours
    await hours(customer, apps, MIDNIGHT, 30)
    customer.clock.time = MIDNIGHT + 10 * HOUR + timedelta(minutes=6)
    assert await rollup.roll_up(customer.engine, customer.clock) == 1
    assert await rollup.roll_up(customer.engine, customer.clock) == 0  # all rolled up
    customer.clock.advance(minutes=50)
    assert await rollup.roll_up(customer.engine, customer.clock) == 0  # the hour has not ended
    customer.clock.advance(hours=15)
    assert await rollup.roll_up(customer.engine, customer.clock) == 2  # into the next day
    assert await rolled(customer) == MIDNIGHT + 25 * HOUR
    after = await answers(customer, sub_id, apps)
    async with customer.engine.begin() as connection:
        await connection.execute(delete(RollupStateRow))
    assert await answers(customer, sub_id, apps) == after


async def test_days_are_computed_again_when_the_clock_was_set_back(
    customer: CustomerData, family: tuple[str, list[str]]
) -> None:
    sub_id, apps = family
    await hours(customer, apps, MIDNIGHT, 70)
    customer.clock.time = MIDNIGHT + 70 * HOUR
    await rollup.roll_up(customer.engine, customer.clock)
    customer.clock.time = MIDNIGHT + 26 * HOUR
    await rollup.roll_up(customer.engine, customer.clock)
    assert await rolled(customer) == MIDNIGHT + 25 * HOUR
    async with customer.engine.begin() as connection:  # calls that are settled under the wrong clock
        await connection.execute(text("UPDATE usage_hour SET calls = calls + 1, ms_5 = ms_5 + 1"))
        await connection.execute(delete(DayRow).where(DayRow.day < MIDNIGHT + DAY))
    customer.clock.time = MIDNIGHT + 70 * HOUR
    await rollup.roll_up(customer.engine, customer.clock)
    async with customer.engine.begin() as connection:
        await connection.execute(delete(DayRow))
        await connection.execute(delete(RollupStateRow))
    wanted = await answers(customer, sub_id, apps)
    await rollup.roll_up(customer.engine, customer.clock)
    assert await answers(customer, sub_id, apps) == wanted
