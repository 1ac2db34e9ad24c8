"""Overload, clients that hang up, and figures of the report, through real processes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.eop.signing import call_headers
from inkgate.service.settings import Database
from inkgate.service.takeover import report as reports
from inkgate.service.takeover.report import RouteReport
from inkgate.service.takeover.routes import Mode
from tests.gateway import PNG, body_of
from tests.takeover.cloud import database_url
from tests.takeover.plan import Change, Fault, Plan, PlannedCode, PlannedFault
from tests.takeover.stage import Stage, staged
from tests.takeover.traffic import Caller, answers_of, check_unaltered, traffic, units_by_request, used_units

STUB_MS = 150  # per image; the only worker is busy with one call


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two images at most are in work at a time; more is an overload."""
    settings = {"TAKEOVER__FALLBACK": "true", "LIMITS__INFLIGHT_TASKS": "2", "ENGINE__STUB_MS": str(STUB_MS)}
    with staged(tmp_path_factory.mktemp("takeover"), **settings) as made:
        yield made


def test_an_overload_goes_to_the_cloud_and_comes_back(stage: Stage) -> None:
    stage.upstream.plan = Plan()
    stage.route(Mode.LOCAL)
    used = used_units(stage.folder)
    with traffic(stage.base, stage.here.keys, clients=6, pause=0) as made:
        stage.wait_for(lambda: len(made.seen) >= 60)
    units, sent = units_by_request(stage.folder), answers_of(stage.upstream.proxy)
    assert made.lost == [] and made.statuses.keys() == {200}
    for each in made.seen:
        if each.request_id in sent:
            check_unaltered(each, sent[each.request_id][0])
        assert units.get(each.request_id, 0) == (each.request_id not in sent)
    here = sum(each.request_id not in sent for each in made.seen)
    assert 0 < here < len(made.seen)
    assert used_units(stage.folder) - used == here
    assert stage.metric("inkgate_takeover_calls_total", 'route="fallback"') == len(made.seen) - here
    alone = Caller(stage.base, stage.here.keys).call()  # the overload is over
    assert alone.request_id not in answers_of(stage.upstream.proxy)


def test_mirrored_calls_do_not_wait_for_the_reading(stage: Stage) -> None:
    stage.upstream.plan = Plan()
    stage.route(Mode.MIRROR)
    caller = Caller(stage.base, stage.here.keys)
    for _ in range(20):
        assert caller.call().status == 200
    seconds = sorted(caller.call().seconds for _ in range(20))
    assert seconds[10] < STUB_MS / 1000, "a reading takes longer than the answer of the cloud"


def test_a_client_that_hangs_up_ends_its_call_to_the_cloud(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    stage.upstream.plan = Plan(faults=(PlannedFault(Fault.HANG, every=1, seconds=20),))
    before = stage.metric("inkgate_takeover_calls_total", 'outcome="cancelled"')
    keys, capability = stage.here.keys, CAPABILITIES["general"]
    body = json.dumps(body_of(capability, PNG)).encode()
    headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, body) | {"Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "x", **headers}.items())
    where = urlsplit(stage.base)
    received = len(stage.upstream.proxy.received)
    with socket.create_connection((where.hostname or "", where.port or 80), 10) as connection:
        connection.sendall(f"POST {capability.paths[0]} HTTP/1.1\r\n{head}\r\n".encode() + body)
        stage.wait_for(lambda: len(stage.upstream.proxy.received) > received)
    stage.wait_for(lambda: stage.metric("inkgate_takeover_calls_total", 'outcome="cancelled"') == before + 1)


def test_the_reports_figures_are_the_planted_differences(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    stage.wait_for(lambda: stage.metric("inkgate_takeover_shadow_waiting") == 0)
    before = report(stage)
    stage.upstream.plan = Plan(
        changes=(Change("idcard", "name", lambda old: f"{old}!", every=3, first=1),),
        codes=(PlannedCode("idcard", 4011, every=6, first=5),),
    )
    caller = Caller(stage.base, stage.here.keys)
    read = stage.metric("inkgate_takeover_shadow_total", 'result="read"')
    calls = 30
    for number in range(calls):
        assert caller.call("idcard").status == 200
        stage.wait_for(
            lambda n=number: stage.metric("inkgate_takeover_shadow_total", 'result="read"') == read + n + 1  # type: ignore[misc]
        )
    planted = stage.upstream.plan.planted
    stage.wait_for(lambda: calls_of(report(stage)) - calls_of(before) == calls)
    after = report(stage)
    assert planted["idcard", "name"] and planted["idcard", "4011"] == calls // 6
    assert differs(after) - differs(before) == planted["idcard", "name"]
    assert codes(after) - codes(before) == planted["idcard", "4011"]


def report(stage: Stage) -> RouteReport | None:
    """The figures of today; None before the first call."""

    async def read() -> list[RouteReport]:
        engine = engines.create(Database(url=database_url(stage.folder)))
        try:
            async with work.read_session(engine) as session:
                now = datetime.now(UTC)
                return await reports.report(session, now - timedelta(hours=1), now, capability="idcard")
        finally:
            await engine.dispose()

    return next(iter(asyncio.run(read())), None)


def calls_of(found: RouteReport | None) -> int:
    return found.calls if found else 0


def differs(found: RouteReport | None) -> int:
    """Different values of the name."""
    return sum(each.differs for each in found.fields if each.name == "name") if found else 0


def codes(found: RouteReport | None) -> int:
    """Calls to which the cloud answered with the planted code."""
    return sum(each.count for each in found.codes if each.cloud == "4011") if found else 0
