"""Every widget of manual 3.3 and 4.3 agrees with the traffic: page = ledger = /metrics = calls of the clients."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from io import StringIO
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import select

from inkgate.service.accounts import repository as queries
from inkgate.service.console import indicators
from inkgate.service.console.charts import Chart
from inkgate.service.console.pages import callers, capabilities, monitor, overview
from inkgate.service.console.regions import RegionTable
from inkgate.service.console.scope import VisibleAccounts, scope_of
from inkgate.service.console.translations import Translator
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository, rollup
from inkgate.service.usage.models import RecordRow
from tests.console.console_fixture import ConsoleFixture
from tests.console.traffic import RecordedCall, RecordedTraffic

ZH = Translator("zh")
TITLES = {name: each.title for name, each in CAPABILITIES.items()}


@pytest.fixture
async def driven(console: ConsoleFixture) -> RecordedTraffic:
    """Two days of traffic: the first is rolled up, the second is not."""
    driven = await RecordedTraffic.build(console)
    await driven.day()
    await driven.writer.write()
    console.clock.advance(days=1)
    await rollup.roll_up(console.engine, console.clock)
    await driven.day()
    await driven.limited()
    await driven.writer.write()
    await driven.ledger.close()
    return driven


def of(driven: RecordedTraffic, wanted: Callable[[RecordedCall], bool] = lambda made: True) -> list[RecordedCall]:
    """The calls of the main account and its sub-accounts."""
    return [each for each in driven.made if each.account == driven.console.account_id and wanted(each)]


def drawn(chart: Chart) -> dict[str, float]:
    """Series → sum over time."""
    return {each["name"]: sum(value or 0 for value in each["data"]) for each in chart["series"]}


def counted(
    made: Iterable[RecordedCall],
    key: Callable[[RecordedCall], Any],
    amount: Callable[[RecordedCall], int] = lambda made: 1,
) -> dict:
    found: Counter[Any] = Counter()
    for each in made:
        found[key(each)] += amount(each)
    return {name: value for name, value in found.items() if value}


async def scope(unit: UnitOfWork, account_id: str) -> VisibleAccounts:
    account = await queries.account(unit.session, account_id)
    assert account is not None
    return await scope_of(unit, account)


async def lines(driven: RecordedTraffic) -> list[RecordRow]:
    async with work.read_session(driven.console.engine) as session:
        query = select(RecordRow).where(RecordRow.line == 0, RecordRow.account_id == driven.console.account_id)
        return list(await session.scalars(query))


async def the_ledger_has_what_was_called(driven: RecordedTraffic) -> None:
    ledger = await lines(driven)
    settled = of(driven, lambda made: made.settled)
    for key, amount in (("images", "images"), ("failed_images", "failed"), ("units", "units"), ("body_bytes", "size")):
        wanted = counted(settled, lambda made: (made.app, made.capability, made.code), attrgetter(amount))
        found: Counter[Any] = Counter()
        for row in ledger:
            found[row.app_id, row.capability, row.code] += getattr(row, key)
        assert {name: value for name, value in found.items() if value} == wanted, key
    assert len(ledger) == len(settled)


async def the_overview_says_what_was_called(driven: RecordedTraffic) -> None:
    console, names = driven.console, {each.app.app_id: each.app.name for each in driven.callers.values()}
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        mine = await scope(unit, console.account_id)
        week, day = [await overview.view(unit, mine, ZH, days) for days in ("7", "1")]
        app = driven.callers["batch"].app.app_id
        narrowed = await overview.view(unit, mine, ZH, "7", "general", app)
    settled, everything = of(driven, lambda made: made.settled), of(driven)
    assert (week.total.requests, week.total.calls, week.total.refused) == (
        len(everything),
        len(settled),
        len(everything) - len(settled),
    )
    assert (week.total.images, week.total.failed_images) == (
        sum(each.images for each in settled),
        sum(each.failed for each in settled),
    )
    by_capability = counted(settled, lambda made: TITLES[made.capability], lambda made: made.images)
    assert drawn(week.calls) == by_capability
    assert {each.name: each.value for each in week.ranking} == by_capability
    assert [each.value for each in week.ranking] == sorted(by_capability.values(), reverse=True)
    assert {each.name: each.value for each in week.apps} == counted(
        settled, lambda made: names[made.app], lambda made: made.images
    )
    codes = counted((each for each in everything if each.code), lambda made: made.code)
    assert week.error_share == pytest.approx(sum(codes.values()) / len(everything))
    counts = sorted([*codes.values(), sum(each.failed for each in settled if not each.code)], reverse=True)
    *largest, rest = week.errors
    assert [each.value for each in largest] == counts[: indicators.TOP]
    assert (rest.name, rest.value) == ("其他", sum(counts[indicators.TOP :]))
    named = {int(each.name.split()[0]): each.value for each in largest if each.name[0].isdigit()}
    assert named == {code: codes[code] for code in named} and len(named) >= indicators.TOP - 1
    assert day.total.requests == (len(everything) + 5) // 2  # the second day has five calls more
    opened = {"general": 4 + 1, "idcard": 1, "plate": 1, "licence": 3}
    assert dict(week.opened) | {"general": 5} == opened  # the app of the fixture has opened nothing
    balance = {each.capability: each for each in week.balances}
    used = counted(settled, lambda made: made.capability, lambda made: made.units)
    assert balance["general"].left == 10_000 - used["general"] and balance["plate"].left == 2 - used["plate"]
    # Response times, narrowed as in the manual, against the lines of the ledger.
    took = [row.duration_ms for row in await lines(driven) if (row.app_id, row.capability) == (app, "general")]
    (series,) = narrowed.response["series"]
    points = [value for value in series["data"] if value is not None]
    assert series["name"] == TITLES["general"] and len(points) == 2
    assert sum(points) / 2 == pytest.approx(sum(took) / len(took), abs=0.1)


async def monitoring_says_what_was_called(driven: RecordedTraffic) -> None:
    console, names = driven.console, {each.app.app_id: each.app.name for each in driven.callers.values()}
    names[""] = "未识别的应用"
    ledger = await lines(driven)
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        mine = await scope(unit, console.account_id)
        for app, capability in (("", ""), ("portal", ""), ("", "general"), ("branch", "general"), ("portal", "plate")):
            app_id = driven.callers[app].app.app_id if app else ""
            seen = await monitor.view(unit, mine, ZH, "7", app_id, capability)
            wanted = of(
                driven,
                lambda made, a=app_id, c=capability: (not a or made.app == a) and (not c or made.capability == c),
            )
            settled = [each for each in wanted if each.settled]
            assert drawn(seen.requests) == counted(wanted, lambda made: names[made.app])
            traffic = counted(settled, lambda made: names[made.app], lambda made: made.size)
            assert {name: round(value, 1) for name, value in drawn(seen.traffic).items() if value} == {
                name: value for name, size in traffic.items() if (value := round(size / monitor.MIB, 1))
            }
            assert seen.total.body_bytes == sum(traffic.values())
            assert counted(seen.errors, lambda each: each.code, lambda each: each.requests) == counted(
                (each for each in wanted if each.code), lambda made: made.code
            )
            assert (
                drawn(seen.faults)
                == {
                    str(code): count
                    for code, count in counted((each for each in wanted if each.code), lambda made: made.code).items()
                }
                or len(seen.faults["series"]) == 8
            )
            assert sum(drawn(seen.faults).values()) == sum(1 for each in wanted if each.code)
            assert {(each.name, each.capability): each.totals.requests for each in seen.apps.rows} == counted(
                wanted, lambda made: (names[made.app], made.capability)
            )
            assert sum(row.requests for _, row in seen.steps) == len(wanted) and len(seen.steps) == 2
            took = sorted(
                row.duration_ms
                for row in ledger
                if (not app_id or row.app_id == app_id) and (not capability or row.capability == capability)
            )
            assert seen.total.mean_ms == pytest.approx(sum(took) / len(took))
            for share in monitor.SHARES.values():
                true = took[math.ceil(share * len(took)) - 1]
                found = seen.total.percentile(share)
                assert found is not None
                assert max(true, 5) / math.sqrt(2) - 2 <= found <= max(true, 5) * math.sqrt(2) + 2


async def the_metrics_say_the_same(driven: RecordedTraffic) -> None:
    samples = await driven.metrics()

    def summed(name: str, label: str, **only: str) -> dict[str, float]:
        found: Counter[str] = Counter()
        for each in samples:
            if each.name == f"inkgate_{name}" and all(each.labels.get(key) == value for key, value in only.items()):
                found[each.labels.get(label, "")] += each.value
        return {key: value for key, value in found.items() if value}

    console = driven.console
    span = (console.clock.time - timedelta(days=3), console.clock.time + timedelta(hours=1))
    async with work.read_session(console.engine) as session:
        by_code = await repository.totals(session, repository.Scope(*span), ["code"])
        by_capability = await repository.totals(session, repository.Scope(*span), ["capability"])
    # All calls, including those of unauthenticated clients, as in `inkgate usage --by code`.
    assert {str(row.key[0]): row.requests for row in by_code} == summed("requests_total", "code")
    assert {str(code): count for code, count in counted(driven.made, lambda made: made.code).items()} == summed(
        "requests_total", "code"
    )
    assert {row.key[0]: row.units for row in by_capability if row.units} == summed("units_settled_total", "capability")
    images = summed("images_total", "capability")
    whole = counted((each for each in driven.made if each.settled and each.code), lambda made: made.capability)
    assert {row.key[0]: row.images - whole.get(row.key[0], 0) for row in by_capability if row.images} == images
    assert sum(summed("request_body_bytes_sum", "capability").values()) == sum(each.size for each in driven.made)
    assert summed("request_duration_seconds_count", "stage", stage="total") == {"total": len(driven.made)}


async def use_and_callers_say_what_was_called(driven: RecordedTraffic) -> None:
    console, names = driven.console, {each.app.app_id: each.app.name for each in driven.callers.values()}
    table = RegionTable([("192.0.2.0/24", "浙江"), ("198.51.100.0/24", "北京")])
    async with work.read_session(console.engine) as session:
        unit = UnitOfWork(session, "test", console.clock)
        mine = await scope(unit, console.account_id)
        theirs = await scope(unit, console.other_id)
        branch = await scope(unit, driven.owners["branch"][1])
        details = {name: await capabilities.detail(unit, mine, name) for name in CAPABILITIES}
        sources = await callers.view(unit, mine, "7", table)
        seen = [await overview.view(unit, each, ZH, "7") for each in (theirs, branch)]
        rows = await capabilities.view(unit, mine)
    settled = of(driven, lambda made: made.settled)
    for name, detail in details.items():
        assert dict(detail.apps.rows) == counted(
            (each for each in settled if each.capability == name), lambda made: names[made.app], lambda made: made.units
        )
    assert details["general"].packs.rows[0].pack.used == sum(
        each.units for each in settled if each.capability == "general"
    )
    assert {row.name: row.state for row in rows} == {
        "general": "valid",
        "idcard": "none",
        "plate": "exhausted",
        "licence": "free",
    }
    assert sources.whole == len(settled)
    assert dict(sources.networks) == counted(settled, lambda made: made.peer.rsplit(".", 1)[0] + ".0/24")
    assert dict(sources.regions) == counted(settled, lambda made: {"192": "浙江", "198": "北京"}.get(made.peer[:3], ""))
    # Another customer sees its own, a sub-account its own; both refusals too.
    for model, owner in zip(seen, (console.other_id, driven.owners["branch"][1]), strict=True):
        wanted = [each for each in driven.made if each.owner == owner]
        assert model.total.requests == len(wanted)
        assert model.total.images == sum(each.images for each in wanted)


async def the_pages_and_sheets_show_these_numbers(driven: RecordedTraffic) -> None:
    visitor = await driven.console.signed_in("lin")
    everything = of(driven)
    page = await visitor.see("/monitor?days=7")
    assert f"共 {len(everything)} 次" in page
    assert f"含被拒绝 {sum(1 for each in everything if not each.settled)}" in page
    assert page.count('class="numbers" role="tabpanel"') == 4
    sheet = csv.DictReader(StringIO((await visitor.get("/monitor.csv?days=7")).text.removeprefix("\ufeff")))
    rows = list(sheet)
    assert sum(int(row["请求数"]) for row in rows) == len(everything)
    assert sum(int(row["抵扣次数"]) for row in rows) == sum(each.units for each in everything)
    assert all(row["P95 响应时间（毫秒）"] for row in rows if row["请求数"] != row["被拒绝"])
    sheet = csv.DictReader(StringIO((await visitor.get("/monitor-errors.csv?days=7")).text.removeprefix("\ufeff")))
    assert counted(list(sheet), lambda row: int(row["错误码"]), lambda row: int(row["请求数"])) == counted(
        (each for each in everything if each.code), lambda made: made.code
    )


async def test_pages_ledger_metrics_and_clients_agree(driven: RecordedTraffic) -> None:
    """One test, since the traffic takes seconds."""
    await the_ledger_has_what_was_called(driven)
    await the_overview_says_what_was_called(driven)
    await monitoring_says_what_was_called(driven)
    await the_metrics_say_the_same(driven)
    await use_and_callers_say_what_was_called(driven)
    await the_pages_and_sheets_show_these_numbers(driven)
