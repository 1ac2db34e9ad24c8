"""Statistics from the hourly totals, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inkgate.service.db import work
from inkgate.service.usage import repository
from inkgate.service.usage.repository import Scope
from tests.ledger_data import START, CustomerData

DAY = timedelta(days=1)


@pytest.fixture
async def scope(customer: CustomerData) -> Scope:
    """Three hours of calls: 2 x general, 1 failed general, 1 plate of another app."""
    other = await customer.another_app()
    await customer.grant(100)
    await customer.grant(100, capability="plate")
    ledger = customer.ledger()
    await ledger.settle(customer.call(2))
    customer.clock.advance(hours=1)
    await ledger.settle(customer.call(3))
    await ledger.settle(customer.call(1, code=400011))
    customer.clock.advance(hours=1)
    await ledger.settle(customer.call(4, capability="plate", app_id=other.app_id))
    return Scope(START - timedelta(hours=1), START + timedelta(hours=5), customer.account_id)


async def test_totals_by_dimension(customer: CustomerData, scope: Scope) -> None:
    async with work.read_session(customer.engine) as session:
        (everything,) = await repository.totals(session, scope)
        by_both = await repository.totals(session, scope, ["capability", "code"])
        by_app = await repository.totals(session, scope, ["app"])
    assert (everything.calls, everything.images, everything.units, everything.mean_ms) == (4, 10, 10, 20.0)
    assert [(each.key, each.calls, each.units) for each in by_both if each.calls > 1] == [(("general", 0), 2, 5)]
    assert sorted((each.key, each.units) for each in by_both if each.calls == 1) == [
        (("general", 400011), 1),
        (("plate", 0), 4),
    ]
    assert by_app[0].key == (customer.app.app_id,) and [each.units for each in by_app] == [6, 4]


async def test_a_series_has_a_step_for_every_hour(customer: CustomerData, scope: Scope) -> None:
    async with work.read_session(customer.engine) as session:
        steps = await repository.series(session, scope, timedelta(hours=1))
        halves = await repository.series(session, scope, timedelta(hours=4))
    assert [moment for moment, _ in steps] == [scope.since + timedelta(hours=n) for n in range(6)]
    assert [sums.units for _, sums in steps] == [0, 2, 4, 4, 0, 0]
    assert [sums.units for _, sums in halves] == [10, 0]


async def test_no_calls_give_zeros(customer: CustomerData) -> None:
    scope = Scope(START, START + DAY, customer.account_id, app_ids=[customer.app.app_id], capability="plate")
    async with work.read_session(customer.engine) as session:
        (everything,) = await repository.totals(session, scope)
        assert await repository.totals(session, scope, ["code"]) == []
    assert (everything.requests, everything.mean_ms) == (0, None)


async def test_lines_are_paged_from_the_newest(customer: CustomerData, scope: Scope) -> None:
    async with work.read_session(customer.engine) as session:
        first = await repository.records(session, customer.account_id, capability="general", limit=2)
        rest = await repository.records(
            session, customer.account_id, capability="general", limit=2, before_seq=first[-1].seq
        )
    assert [[row.units for row in page] for page in (first, rest)] == [[1, 3], [2]]
