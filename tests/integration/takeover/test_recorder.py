"""Observations become figures and differing values in the database, on both databases."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from inkgate.service.contract.capabilities import IDCARD
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.settings import Database
from inkgate.service.takeover import observation_repository as repository
from inkgate.service.takeover import recorder as recorders
from inkgate.service.takeover.observation import CloudAnswer, LocalAnswer, Observation, Observer
from inkgate.service.takeover.observation_models import DifferenceRow, FigureRow
from inkgate.service.takeover.recorder import ObservationRecorder
from inkgate.service.takeover.report import report, selection
from inkgate.service.takeover.tally import Keeping
from tests.ledger_data import START, CustomerData
from tests.unit.takeover.answers import answer


@dataclass
class Counts:
    observed: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def takeover_observed(self, result: str) -> None:
        self.observed.append(result)

    def takeover_dropped(self, reason: str, count: int = 1) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + count


def card(**fields: str) -> bytes:
    return answer(IDCARD, {"note": "back", "detail": {"idn": "330106199208160021", **fields}})


def seen(
    customer: CustomerData, cloud: bytes, local: bytes | None, *, skipped: str = "", code: str = "0"
) -> Observation:
    here = None if local is None else LocalAnswer(200, "0", 0.03, local)
    there = CloudAnswer(200, code, 0.3, cloud)
    return Observation(START, customer.account_id, customer.app.app_id, IDCARD.name, there, here, skipped)


def recorder(customer: CustomerData, counts: Counts, *, personal: bool = True, slots: int = 50) -> ObservationRecorder:
    keeping = Keeping(values_per_field=slots, personal_values=personal)
    return ObservationRecorder(customer.engine, counts, keeping, clock=customer.clock, seconds=0.05)


async def recorded(customer: CustomerData, counts: Counts, *given: Observation, **options: object) -> None:
    """Record through two gateways at once, every observation by one of them."""
    both = [recorder(customer, counts, **options) for _ in range(2)]  # type: ignore[arg-type]
    for each in both:
        await each.start()
    for number, observation in enumerate(given):
        await both[number % 2].record(observation)
    await asyncio.gather(*(each.close() for each in both))


async def test_figures_of_two_gateways_add_up(customer: CustomerData) -> None:
    counts = Counts()
    equal = [seen(customer, card(name="林知远"), card(name="林知远"))] * 7
    other = [seen(customer, card(name="林知远"), card(name="林知运"))] * 3
    await recorded(
        customer,
        counts,
        *equal,
        *other,
        seen(customer, card(), None, skipped="shed"),
        seen(customer, b"<html>", card(), code=""),
    )
    assert sorted(counts.observed) == ["compared"] * 10 + ["skipped", "unreadable"] and not counts.dropped
    async with work.read_session(customer.engine) as session:
        (found,) = await report(session, START, START)
    assert (found.calls, found.compared, found.unreadable, found.images) == (12, 10, 1, 10)
    assert found.app_name == "main_app" and found.account_name == "main" and found.capability is IDCARD
    assert found.skipped == {"shed": 1} and found.units == 11
    by_name = {each.name: each for each in found.fields}
    assert [each.name for each in found.fields][:2] == ["note", "name"]
    assert (by_name["name"].equal, by_name["name"].differs, by_name["idn"].equal) == (7, 3, 10)
    assert by_name["sex"].values == 0 and by_name["sex"].empty == 10
    assert found.cloud_time.calls == 12 and found.local_time.calls == 11
    assert found.cloud_time.p50 == pytest.approx(300, rel=0.2) and found.local_time.p95 == pytest.approx(30, rel=0.4)


async def test_pairs_of_values_are_counted_over_gateways(customer: CustomerData) -> None:
    given = [seen(customer, card(name="林知远"), card(name="林知运"))] * 4
    await recorded(customer, Counts(), *given, replace(given[0], at=START + timedelta(minutes=5)))
    async with work.read_session(customer.engine) as session:
        wanted = selection(START, START, customer.app.app_id, IDCARD.name)
        (row,) = await repository.differences(session, wanted, field="name")
        assert not await repository.differences(session, wanted, field="idn")
    assert (row.cloud, row.local, row.count) == ("林知远", "林知运", 5)
    assert row.last_at == START + timedelta(minutes=5)


async def test_the_number_of_pairs_is_bounded_in_the_database(customer: CustomerData) -> None:
    given = [seen(customer, card(name=str(number)), card(name="x")) for number in range(60)]
    await recorded(customer, Counts(), *given, slots=5)
    async with work.read_session(customer.engine) as session:
        rows = list(await session.scalars(select(DifferenceRow)))
    assert 1 <= len(rows) <= 5 and all(row.count == 1 for row in rows)


async def test_a_closed_switch_stores_no_personal_value_and_deletes_old_ones(customer: CustomerData) -> None:
    odd = json.dumps({"statusCode": 0, "returnObj": [{"note": "front", "detail": {"name": "林知远\0"}}]}).encode()
    given = seen(customer, odd, card(name="林知运"))
    await recorded(customer, Counts(), given)
    async with work.read_session(customer.engine) as session:
        names = set(await session.scalars(select(DifferenceRow.field)))
    assert names == {"note", "name", "idn"}
    await recorded(customer, Counts(), given, personal=False)
    await recorder(customer, Counts(), personal=False).apply_retention()
    async with work.read_session(customer.engine) as session:
        rows = list(await session.scalars(select(DifferenceRow)))
    assert [(row.field, row.cloud, row.local, row.count) for row in rows] == [("note", "front", "back", 2)]


async def test_values_and_figures_end_with_their_retention(customer: CustomerData) -> None:
    await recorded(customer, Counts(), seen(customer, card(name="甲"), card(name="乙")))
    keeper = recorder(customer, Counts())
    left: dict[int, tuple[bool, bool]] = {}
    for days in (30, 31, 400, 401):
        customer.clock.time = START + timedelta(days=days)
        await keeper.apply_retention()
        async with work.read_session(customer.engine) as session:
            left[days] = tuple([bool(list(await session.scalars(select(row)))) for row in (DifferenceRow, FigureRow)])  # type: ignore[assignment]
    assert left == {30: (True, True), 31: (False, True), 400: (False, True), 401: (False, False)}


async def test_a_full_queue_drops_and_never_waits(customer: CustomerData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "MAX_QUEUED", 3)
    monkeypatch.setattr(recorders, "MAX_QUEUED_BYTES", 3 * len(card()))
    counts = Counts()
    observer: Observer = recorder(customer, counts)  # not started: nothing leaves the queue
    for _ in range(5):
        await observer.record(seen(customer, b"", b""))
    assert counts.dropped == {"queue": 2}
    other = recorder(customer, counts)
    for _ in range(3):
        await other.record(seen(customer, card(), card()))
    assert counts.dropped == {"queue": 4}  # three bodies fit, an observation has two


async def test_figures_survive_a_database_that_is_away(customer: CustomerData) -> None:
    away = engines.create(Database(url="sqlite+aiosqlite:////nowhere/at.all"))
    counts = Counts()
    kept = ObservationRecorder(away, counts, Keeping(), clock=customer.clock, seconds=0.01)
    await kept.start()
    await kept.record(seen(customer, card(), card()))
    while not counts.observed:
        await asyncio.sleep(0.01)
    await kept.close()  # does not raise
    await away.dispose()
    kept._engine = customer.engine
    await kept.write()
    async with work.read_session(customer.engine) as session:
        assert await session.scalar(select(FigureRow.count).where(FigureRow.measure == "calls")) == 1


async def test_unknown_capabilities_and_broken_comparisons_end_nothing(
    customer: CustomerData, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts()

    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(recorders, "compare", broken)
    await recorded(
        customer, counts, replace(seen(customer, card(), card()), capability="gone"), seen(customer, card(), card())
    )
    assert counts.dropped == {"error": 1} and not counts.observed
