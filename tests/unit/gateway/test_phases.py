"""The record of a call in each phase, and the progress of a call."""

from __future__ import annotations

import dataclasses

import pytest

from inkgate.service.gateway import phases
from inkgate.service.gateway.call_record import Caller, CallerIdentity, CallRecord
from inkgate.service.gateway.phases import Answered, Phase, Started
from inkgate.service.gateway.progress import Progress
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event
from inkgate.service.sealed import SealedRequest
from tests.unit.gateway import calls

APP = CallerIdentity("account-1", "app-1")
ROUTED = CallerIdentity("account-1", "app-1", "general")
TWO = (Event.IMAGE_READ, Event.IMAGE_FAULT)
SEAL = SealedRequest(b"", b"k" * 16, b"m")


def recorded(phase: Phase) -> dict[str, object]:
    """The fields of a phase's record other than the stopwatch and the defaults."""
    record = phase.record()
    empty = CallRecord(record.stopwatch)
    names = [each.name for each in dataclasses.fields(CallRecord)]
    return {name: getattr(record, name) for name in names if getattr(record, name) != getattr(empty, name)}


def test_each_phase_adds_its_data_to_the_record() -> None:
    caller = Caller(calls.APP, calls.admitted().capability)
    assert recorded(calls.received().started) == {}
    assert recorded(calls.received()) == {"body_bytes": 1000}
    assert recorded(calls.authenticated()) == {"body_bytes": 1000, "origin": CallerIdentity("account-1")}
    assert recorded(calls.identified()) == {"body_bytes": 1000, "origin": APP}
    assert recorded(calls.routed()) == {"body_bytes": 1000, "origin": ROUTED}
    admitted_call = {"body_bytes": 1000, "origin": ROUTED, "caller": caller}
    assert recorded(calls.admitted()) == admitted_call
    assert recorded(calls.accepted()) == admitted_call | {"call_id": calls.CALL_ID}
    parsed_call = admitted_call | {"call_id": calls.CALL_ID, "images": 2}
    assert recorded(calls.parsed(2)) == parsed_call
    assert recorded(calls.read_result(TWO, code=7)) == parsed_call | {"events": TWO, "code": 7}
    assert recorded(calls.priced(calls.read_result(TWO), 2)) == parsed_call | {"events": TWO, "units": 2}
    assert recorded(calls.settled(calls.priced(calls.read_result(TWO), 2))) == parsed_call | {"events": TWO, "units": 2}


def test_a_capability_is_reported_once_the_call_is_admitted() -> None:
    """A refused address is counted for the capability in the statistics, and for none in the metrics."""
    assert calls.routed().record().origin.capability == "general"
    assert calls.routed().record().capability is None
    assert calls.admitted().record().capability == "general"


def test_a_request_that_cannot_be_parsed_has_no_images_and_one_event() -> None:
    result = calls.read_result((Event.REQUEST_FAULT,), code=400005, previous=calls.accepted())
    record = result.record()
    assert (record.images, record.events, record.code) == (0, (Event.REQUEST_FAULT,), 400005)


def test_a_replayed_answer_has_the_earlier_call_id() -> None:
    found = calls.settled(calls.admitted(), call_id="another")
    assert recorded(found) == recorded(calls.admitted()) | {"call_id": "another", "replayed": True}
    assert (found.call_id, found.answer.status, found.answer.body) == ("another", 200, b"{}")
    late = calls.settled(calls.priced(units=3), call_id="another").record()
    assert (late.call_id, late.replayed, late.units) == ("another", True, 3)
    assert not calls.settled().record().replayed


def test_only_a_success_answer_to_a_sealed_request_is_sealed() -> None:
    opened = calls.parsed(seal=SEAL)
    assert calls.read_result(previous=opened).seal is SEAL
    assert calls.read_result(previous=opened, code=400014).seal is None
    assert calls.read_result().seal is None
    assert calls.read_result(previous=calls.accepted(), code=40019).seal is None


def test_the_replay_key_depends_on_what_the_client_sent() -> None:
    key = calls.admitted().replay_key
    assert calls.settled().replay_key == key
    assert calls.admitted("plate").replay_key != key
    assert calls.admitted(source=calls.exchange(eop_date="another")).replay_key == key
    other = calls.exchange()
    other.body_hash = "0" * 64
    assert calls.admitted(source=other).replay_key != key


def test_progress_keeps_the_latest_phase() -> None:
    started = Started(calls.exchange(), "r", Stopwatch())
    progress = Progress(started)
    assert progress.record() == CallRecord(started.stopwatch)
    parsed = calls.parsed(3)
    assert progress.advance(parsed) is parsed
    assert progress.record().images == 3 and progress.started is started


def test_phases_are_frozen() -> None:
    found = [each for each in vars(phases).values() if dataclasses.is_dataclass(each) and isinstance(each, type)]
    assert len(found) > 10
    for each in found:
        assert each.__dataclass_params__.frozen, each  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        calls.accepted().call_id = "another"  # type: ignore[misc]


def test_an_answer_refers_to_its_own_call() -> None:
    own, admitted = calls.priced(), calls.admitted()
    assert Answered(own, calls.kept()).admitted is own.admitted
    assert Answered(admitted, calls.kept()).admitted is admitted
