"""The wire form of every error, and the metrics and log line of a failed call."""

from __future__ import annotations

import dataclasses
import json
import logging

import pytest

from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.errors import (
    AppHeldOff,
    BodyTooLarge,
    BodyTooSlow,
    ClientDisconnected,
    ClockSuspect,
    ConfigurationError,
    InternalError,
    RateLimited,
    Refused,
    RequestFault,
    SealFault,
    WireError,
)
from inkgate.service.gateway.failures import error_answer, wire_error
from inkgate.service.gateway.observe import report
from inkgate.service.gateway.phases import Phase
from inkgate.service.metering.policy import Event
from inkgate.service.telemetry.metrics import Metrics
from tests.unit.gateway import calls


@pytest.mark.parametrize("always_200", [False, True])
@pytest.mark.parametrize(
    ("error", "http", "code", "headers"),
    [
        (Refused(10020), 401, 10020, {}),
        (Refused(40008), 405, 40008, {"allow": "POST"}),
        (BodyTooSlow(), 408, 40800, {"connection": "close"}),
        (RateLimited(4), 429, 42900, {"retry-after": "4"}),
        (AppHeldOff(9), 503, 50300, {"retry-after": "9"}),
        (ClockSuspect("own", "set"), 500, 50000, {}),
    ],
    ids=lambda each: str(each),
)
def test_a_refusal(error: WireError, http: int, code: int, headers: dict[str, str], always_200: bool) -> None:
    found, answer = error_answer(error, "r-1", always_200=always_200)
    assert (found, answer.status, dict(answer.headers)) == (code, 200 if always_200 else http, headers)
    body = json.loads(answer.body)
    assert (body["code"], body["requestId"], body["returnObj"]) == (str(code), "r-1", {})


@pytest.mark.parametrize("always_200", [False, True])
def test_errors_with_a_special_wire_form(always_200: bool) -> None:
    code, page = error_answer(BodyTooLarge(), "r-1", always_200=always_200)
    assert (code, page.status, page.content_type) == (413, 413, "text/html") and b"nginx" in page.body
    code, answer = error_answer(RequestFault("general", "path"), "r-1", always_200=always_200)
    assert (code, answer.status) == (GENERAL.faults["path"].code, 200)
    assert json.loads(answer.body)["error"] == f"AI_OP_{code}"
    code, answer = error_answer(SealFault(40019, "SM2", "SM2 details"), "r-1", always_200=always_200)
    assert (code, answer.status, json.loads(answer.body)["details"]) == (40019, 200, "SM2 details")


def test_other_exceptions_become_internal_errors(caplog: pytest.LogCaptureFixture) -> None:
    error = Refused(40002)
    assert wire_error(error) is error and not caplog.records
    turned = wire_error(ConfigurationError("INKGATE_X", "wrong", "Change it"))
    assert type(turned) is InternalError and str(turned) == "INKGATE_X: wrong. Change it" and not caplog.records
    try:
        raise KeyError("secret")
    except KeyError as unexpected:
        turned = wire_error(unexpected)
    assert type(turned) is InternalError and turned.code == 50000
    (logged,) = caplog.records
    assert logged.exc_info is not None and logged.exc_info[0] is KeyError
    _, answer = error_answer(turned, "r-1", always_200=False)
    assert answer.status == 500 and b"secret" not in answer.body


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"inkgate_{name}", labels) or 0.0


@pytest.mark.parametrize(
    ("phase", "error", "outcome", "reason"),
    [
        (calls.received().started, BodyTooLarge(), "client_error", "too_large"),
        (calls.received(), Refused(10020), "refused", "10020"),
        (calls.admitted(), AppHeldOff(3), "refused", "held_off"),
        (calls.admitted(), RateLimited(), "limited", "42900"),
        (calls.parsed(2), InternalError("?"), "failed", None),
        (calls.priced(), ClientDisconnected("disconnected"), "cancelled", None),
    ],
    ids=lambda each: str(each) if isinstance(each, Exception) else type(each).__name__,
)
def test_a_failed_call_is_counted_by_its_error(
    phase: Phase, error: WireError, outcome: str, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    metrics = Metrics("gateway", "test")
    record = dataclasses.replace(phase.record(), code=error.code)
    report(metrics, record, 503, error)
    capability = record.capability or "none"
    assert sample(metrics, "requests_total", capability=capability, outcome=outcome, code=str(error.code)) == 1
    rejected = [each for family in metrics.registry.collect() if "rejected" in family.name for each in family.samples]
    counted = [each.labels["reason"] for each in rejected if each.name.endswith("_total")]
    assert counted == ([reason] if reason else [])
    assert not sample(metrics, "images_total", capability=capability, outcome="read"), "nothing was settled"
    (line,) = caplog.records
    assert (line.reason, line.images, line.http) == (str(error), record.images, 503)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("events", "code", "outcome"),
    [
        ((Event.IMAGE_READ, Event.IMAGE_READ), 0, "success"),
        ((Event.IMAGE_READ, Event.IMAGE_FAULT), 0, "partial"),
        ((Event.INTERNAL_FAULT,), 0, "partial"),
        ((Event.REQUEST_FAULT,), 400005, "client_error"),
    ],
)
def test_a_settled_call_is_counted_by_its_events(events: tuple[Event, ...], code: int, outcome: str) -> None:
    metrics = Metrics("gateway", "test")
    phase = calls.settled(calls.priced(calls.read_result(events, code=code)))
    report(metrics, phase.record(), 200)
    assert sample(metrics, "requests_total", capability="general", outcome=outcome, code=str(code)) == 1
    for event, label in ((Event.IMAGE_READ, "read"), (Event.IMAGE_FAULT, "rejected"), (Event.INTERNAL_FAULT, "failed")):
        assert sample(metrics, "images_total", capability="general", outcome=label) == events.count(event)


def test_a_replayed_answer_is_counted_even_if_it_cannot_be_settled() -> None:
    metrics = Metrics("gateway", "test")
    again = calls.settled(calls.admitted(), call_id="another")
    report(metrics, again.record(), 500, ClockSuspect("own", "set"))
    report(metrics, again.record(), 200)
    report(metrics, calls.settled().record(), 200)
    assert sample(metrics, "replayed_answers_total", capability="general") == 2
