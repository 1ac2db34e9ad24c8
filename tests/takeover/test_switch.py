"""From the cloud to this installation in steps, and back, under traffic, through real processes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from inkgate.service.takeover.routes import Mode, Override
from tests.takeover.cloud import Certificate
from tests.takeover.plan import Fault, Plan, PlannedFault
from tests.takeover.stage import Stage
from tests.takeover.traffic import (
    CAPABILITY_NAMES,
    Caller,
    Seen,
    Traffic,
    answers_of,
    check_unaltered,
    traffic,
    units_by_request,
    used_units,
)

UNREACHABLE, TIMED_OUT = (502, 50200), (504, 50400)


def check_each_call(stage: Stage, made: Traffic, expected: Callable[[Seen], bool] = lambda each: False) -> int:
    """Check of every call: an answer, unaltered, by one side, with its exact units; returns how many were answered
    here. `expected`: whether a call may have got an answer of the gateway itself in place of the cloud's."""
    assert made.lost == [] and made.seen
    units, sent = units_by_request(stage.folder), answers_of(stage.upstream.proxy)
    local = 0
    for each in made.seen:
        if each.request_id not in sent:
            local += 1
            assert each.status == 200 and json.loads(each.body)["statusCode"] == 0
            assert units[each.request_id] == 1
            continue
        [answer] = sent[each.request_id]  # sent on once, never twice
        assert each.request_id not in units
        if not expected(each):
            check_unaltered(each, answer)
    return local


def test_under_traffic_from_the_mirror_to_here_and_back(stage: Stage) -> None:
    before = used_units(stage.folder)
    with traffic(stage.base, stage.here.keys) as made:
        for mode, percent in (
            (Mode.MIRROR, None),
            (Mode.SPLIT, 10),
            (Mode.SPLIT, 100),
            (Mode.LOCAL, None),
            (Mode.SPLIT, 10),
            (Mode.MIRROR, None),
        ):
            stage.route(mode, percent)
            count = len(made.seen)
            stage.wait_for(lambda reached=count + 60: len(made.seen) > reached)  # type: ignore[misc]
    local = check_each_call(stage, made)
    assert made.statuses.keys() == {200}
    assert 0 < local < len(made.seen)
    assert used_units(stage.folder) - before == local
    assert "the ledger is sound" in stage.command("ledger", "verify")


def test_ten_percent_are_answered_here_and_repeats_go_the_same_way(stage: Stage) -> None:
    stage.route(Mode.SPLIT, 10)
    caller = Caller(stage.base, stage.here.keys)
    made = Traffic([caller.call("idcard") for _ in range(400)])
    local = check_each_call(stage, made)
    assert 15 <= local <= 70  # 40 expected; outside with probability below 1e-4
    cloud_ids = answers_of(stage.upstream.proxy)
    for each in made.seen[:40]:
        times = len(answers_of(stage.upstream.proxy).get(each.request_id, ()))
        caller.call("idcard", request_id=each.request_id)
        again = len(answers_of(stage.upstream.proxy).get(each.request_id, ()))
        assert again - times == (each.request_id in cloud_ids)


@pytest.mark.parametrize(("mode", "percent"), [(Mode.MIRROR, None), (Mode.SPLIT, 30)])
def test_faults_of_the_cloud_lose_no_call_and_alter_no_answer(stage: Stage, mode: Mode, percent: int | None) -> None:
    stage.route(mode, percent)
    stage.upstream.plan = Plan(
        faults=(
            PlannedFault(Fault.RESET, every=13, first=5),
            PlannedFault(Fault.CUT, every=17, first=6),
            PlannedFault(Fault.NOT_HTTP, every=19, first=7),
            PlannedFault(Fault.GARBAGE, every=11, first=3),
            PlannedFault(Fault.STATUS, every=7, first=2, status=503),
            PlannedFault(Fault.SLOW, every=9, first=4, seconds=0.3),
        )
    )
    unreachable = {Fault.RESET, Fault.CUT, Fault.NOT_HTTP}
    with traffic(stage.base, stage.here.keys, pause=0.005) as made:
        stage.wait_for(lambda: len(made.seen) >= 250)
    sent = answers_of(stage.upstream.proxy)

    def refused(each: Seen) -> bool:
        if sent[each.request_id][0].fault not in unreachable:
            return False
        body = json.loads(each.body)
        assert (each.status, body["statusCode"]) == UNREACHABLE and body["requestId"] == each.request_id
        return True

    check_each_call(stage, made, refused)
    assert set(stage.upstream.plan.faulty) == {Fault.SLOW, Fault.STATUS, Fault.GARBAGE, *unreachable}
    assert made.statuses.keys() == {200, 503, 502}


def test_a_cloud_that_hangs_is_given_up_in_time(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    stage.upstream.plan = Plan(faults=(PlannedFault(Fault.HANG, every=1, seconds=20),))
    each = Caller(stage.base, stage.here.keys).call()
    assert (each.status, json.loads(each.body)["statusCode"]) == TIMED_OUT
    assert 2.9 < each.seconds < 6


def test_only_the_right_certificate_is_accepted(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    caller = Caller(stage.base, stage.here.keys)
    for wrong in (Certificate.OTHER_HOST, Certificate.OTHER_AUTHORITY):
        stage.upstream.proxy.refuse()
        refused = caller.call()
        assert (refused.status, json.loads(refused.body)["statusCode"]) == UNREACHABLE
        stage.upstream.certificate = wrong
        stage.upstream.proxy.listen_again()
        before = len(stage.upstream.proxy.received)
        each = caller.call()
        assert (each.status, json.loads(each.body)["statusCode"]) == UNREACHABLE
        assert len(stage.upstream.proxy.received) == before  # not a byte of the call went to it
    stage.upstream.certificate = Certificate.RIGHT
    assert caller.call().status == 200


def test_the_switch_for_emergencies_works_both_ways(stage: Stage) -> None:
    stage.route(Mode.SPLIT, 50)
    caller = Caller(stage.base, stage.here.keys)
    for target, here in ((Override.CLOUD, 0), (Override.LOCAL, 20)):
        stage.off(target)
        assert check_each_call(stage, Traffic([caller.call() for _ in range(20)])) == here
    stage.off(Override.NONE)
    assert 0 < check_each_call(stage, Traffic([caller.call() for _ in range(40)])) < 40


def test_the_commands_change_and_show_the_routes(stage: Stage) -> None:
    stage.command("takeover", "route", stage.here.keys.appkey, "all", "split", "0%")
    stage.command("takeover", "off", "local")
    shown = json.loads(stage.command("takeover", "status", "--json"))
    assert (shown["enabled"], shown["off"], {each["here"] for each in shown["routes"]}) == (True, "local", {0})
    stage.wait_effective()
    caller = Caller(stage.base, stage.here.keys)
    assert check_each_call(stage, Traffic([caller.call() for _ in range(5)])) == 5
    stage.command("takeover", "off", "none")
    stage.wait_effective()
    assert check_each_call(stage, Traffic([caller.call() for _ in range(5)])) == 0


def test_mirrored_calls_are_read_here_without_a_unit(stage: Stage) -> None:
    stage.route(Mode.MIRROR)
    used, read = used_units(stage.folder), stage.metric("inkgate_takeover_shadow_total")
    caller = Caller(stage.base, stage.here.keys)
    made = [caller.call(name) for name in CAPABILITY_NAMES for _ in range(5)]
    stage.wait_for(lambda: stage.metric("inkgate_takeover_shadow_total") >= read + len(made))
    assert stage.metric("inkgate_takeover_shadow_seconds_count") >= len(made)
    assert used_units(stage.folder) == used
