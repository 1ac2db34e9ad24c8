"""Statistics from the hourly sums, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inkgate.service.db import work
from inkgate.service.usage import repository
from inkgate.service.usage.repository import Scope
from tests.money import START, House

DAY = timedelta(days=1)


@pytest.fixture
async def scope(house: House) -> Scope:
    """Three hours of calls: 2 x general, 1 failed general, 1 plate of another app."""
    other = await house.another_app()
    await house.grant(100)
    await house.grant(100, capability="plate")
    ledger = house.ledger()
    await ledger.settle(house.call(2))
    house.clock.pass_(hours=1)
    await ledger.settle(house.call(3))
    await ledger.settle(house.call(1, code=400011))
    house.clock.pass_(hours=1)
    await ledger.settle(house.call(4, capability="plate", app_id=other.app_id))
    return Scope(START - timedelta(hours=1), START + timedelta(hours=5), house.account_id)


async def test_totals_by_dimension(house: House, scope: Scope) -> None:
    async with work.reading(house.engine) as session:
        (everything,) = await repository.totals(session, scope)
        by_both = await repository.totals(session, scope, ["capability", "code"])
        by_app = await repository.totals(session, scope, ["app"])
    assert (everything.calls, everything.images, everything.units, everything.mean_ms) == (4, 10, 10, 20.0)
    assert [(each.key, each.calls, each.units) for each in by_both if each.calls > 1] == [(("general", 0), 2, 5)]
    assert sorted((each.key, each.units) for each in by_both if each.calls == 1) == [
        (("general", 400011), 1),
        (("plate", 0), 4),
    ]
    assert by_app[0].key == (house.app.app_id,) and [each.units for each in by_app] == [6, 4]


async def test_a_series_has_a_step_for_every_hour(house: House, scope: Scope) -> None:
    async with work.reading(house.engine) as session:
        steps = await repository.series(session, scope, timedelta(hours=1))
        halves = await repository.series(session, scope, timedelta(hours=4))
    assert [moment for moment, _ in steps] == [scope.since + timedelta(hours=n) for n in range(6)]
    assert [sums.units for _, sums in steps] == [0, 2, 4, 4, 0, 0]
    assert [sums.units for _, sums in halves] == [10, 0]


async def test_nothing_is_zeros(house: House) -> None:
    scope = Scope(START, START + DAY, house.account_id, app_ids=[house.app.app_id], capability="plate")
    async with work.reading(house.engine) as session:
        (everything,) = await repository.totals(session, scope)
        assert await repository.totals(session, scope, ["code"]) == []
    assert (everything.requests, everything.mean_ms) == (0, None)


async def test_lines_are_paged_from_the_newest(house: House, scope: Scope) -> None:
    async with work.reading(house.engine) as session:
        first = await repository.records(session, house.account_id, capability="general", limit=2)
        rest = await repository.records(
            session, house.account_id, capability="general", limit=2, before_seq=first[-1].seq
        )
    assert [[row.units for row in page] for page in (first, rest)] == [[1, 3], [2]]
