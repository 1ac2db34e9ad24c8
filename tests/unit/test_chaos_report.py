"""The verdict of a chaos run: faults of the product are separated from those of the harness and its host."""

from __future__ import annotations

from typing import Any

import pytest

from inkgate.service.attest.chaos.verdict import Attempt, Call
from tests.crash.chaos.faults import InjectedFault
from tests.crash.chaos.report import Observations, judge

INJECTED = InjectedFault("a fault", 10.0, 11.0)  # its window ends at 16.0


def call(request_id: str, *attempts: tuple[float, str]) -> Call:
    tried = [Attempt(begun, begun + 0.1, result) for begun, result in attempts]
    return Call("general", [b"x"], request_id, tried, delivered=tried[-1].result == "ok", read=1)


def broken(calls: list[Call], **seen: Any) -> list[str]:
    """The names of the promises that a run with these calls breaks."""
    facts = {
        "charged": {each.request_id: [1] for each in calls},
        "answers": {each.request_id: 1 for each in calls},
        "findings": [],
        "machine": "",
        "starved": lambda begun, ended: False,
        **seen,
    }
    return [promise.name for promise in judge(calls, [INJECTED], Observations(**facts)) if not promise.kept]


CALM = [call(f"c{number}", (20.0 + number / 10, "ok")) for number in range(200)]


def test_a_calm_run_keeps_every_promise():
    assert broken(CALM) == []


def test_a_failure_inside_a_window_is_forgiven_and_outside_it_is_not():
    assert broken([*CALM, call("x", (12.0, "error"), (13.0, "ok"))]) == []
    assert broken([*CALM, call("x", (30.0, "error"), (31.0, "ok"))]) == [
        "available 99.9% outside the kill windows",
        "recovered within 5 s of each heal",
    ]


def test_a_failure_while_processes_wait_for_a_cpu_is_left_out_but_many_make_the_run_void():
    def starved(begun: float, ended: float) -> bool:
        return 29.5 < begun < 33.5

    assert broken([*CALM, call("x", (30.0, "error"), (34.0, "ok"))], starved=starved) == []
    many = [call(f"x{number}", (30.0 + number, "error"), (34.0, "ok")) for number in range(4)]
    assert broken([*CALM, *many], starved=starved) == ["this machine let it be judged"]


@pytest.mark.parametrize(("answers", "kept"), [(0, False), (1, False), (2, True)])
def test_a_second_payment_is_ours_only_where_a_second_answer_came(answers: int, kept: bool):
    calls = [*CALM, call("twice", (12.0, "error"), (13.0, "ok"))]
    charged = {each.request_id: [1] for each in calls} | {"twice": [1, 1]}
    found = broken(calls, charged=charged, answers={"twice": answers})
    assert ("nothing charged twice or undelivered" not in found) is kept


def test_lost_wrong_and_mispriced_answers_are_never_forgiven():
    lost = broken([*CALM, call("lost", (12.0, "error"))], starved=lambda begun, ended: True)
    assert lost == ["every call was answered in the end"]
    assert "no wrong or crossed answer" in broken([*CALM, call("w", (12.0, "wrong"))])
    charged = {each.request_id: [1] for each in CALM} | {"c7": [2]}
    assert broken(CALM, charged=charged) == ["delivered answers cost what they hold"]
