"""What is known of a call in each of its phases, and that a call is left in the one that it had reached."""

from __future__ import annotations

import dataclasses

import pytest

from inkgate.service.gateway import phases
from inkgate.service.gateway.call_record import Caller, CallRecord, Origin
from inkgate.service.gateway.phases import Answered, Phase, Started
from inkgate.service.gateway.progress import Progress
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event
from inkgate.service.sealed import SealedRequest
from tests.unit.gateway import calls

APP = Origin("account-1", "app-1")
ROUTED = Origin("account-1", "app-1", "general")
TWO = (Event.IMAGE_READ, Event.IMAGE_FAULT)
SEAL = SealedRequest(b"", b"k" * 16, b"m")


def known(phase: Phase) -> dict[str, object]:
    """What the record of a phase says beyond the stopwatch and the defaults."""
    record = phase.record()
    empty = CallRecord(record.watch)
    names = [each.name for each in dataclasses.fields(CallRecord)]
    return {name: getattr(record, name) for name in names if getattr(record, name) != getattr(empty, name)}


def test_each_phase_adds_what_it_has_found_out() -> None:
    caller = Caller(calls.APP, calls.admitted().capability)
    assert known(calls.received().started) == {}
    assert known(calls.received()) == {"body_bytes": 1000}
    assert known(calls.authenticated()) == {"body_bytes": 1000, "origin": Origin("account-1")}
    assert known(calls.identified()) == {"body_bytes": 1000, "origin": APP}
    assert known(calls.routed()) == {"body_bytes": 1000, "origin": ROUTED}
    inside = {"body_bytes": 1000, "origin": ROUTED, "caller": caller}
    assert known(calls.admitted()) == inside
    assert known(calls.entered()) == inside | {"call_id": calls.CALL_ID}
    at_work = inside | {"call_id": calls.CALL_ID, "images": 2}
    assert known(calls.parsed(2)) == at_work
    assert known(calls.read_result(TWO, code=7)) == at_work | {"events": TWO, "code": 7}
    assert known(calls.priced(calls.read_result(TWO), 2)) == at_work | {"events": TWO, "units": 2}
    assert known(calls.settled(calls.priced(calls.read_result(TWO), 2))) == at_work | {"events": TWO, "units": 2}


def test_a_capability_is_reported_once_the_call_is_admitted() -> None:
    """A refused address counts for the capability in the statistics, and for none in the metrics."""
    assert calls.routed().record().origin.capability == "general"
    assert calls.routed().record().capability is None
    assert calls.admitted().record().capability == "general"


def test_a_request_that_cannot_be_parsed_has_no_images_and_one_event() -> None:
    result = calls.read_result((Event.REQUEST_FAULT,), code=400005, before=calls.entered())
    record = result.record()
    assert (record.images, record.events, record.code) == (0, (Event.REQUEST_FAULT,), 400005)


def test_an_answer_of_an_earlier_call_is_that_call_s() -> None:
    found = calls.settled(calls.admitted(), call_id="another")
    assert known(found) == known(calls.admitted()) | {"call_id": "another", "replayed": True}
    assert (found.call_id, found.answer.status, found.answer.body) == ("another", 200, b"{}")
    beaten = calls.settled(calls.priced(units=3), call_id="another").record()
    assert (beaten.call_id, beaten.replayed, beaten.units) == ("another", True, 3)
    assert not calls.settled().record().replayed


def test_only_an_answer_without_a_code_to_an_opened_request_is_sealed() -> None:
    opened = calls.parsed(seal=SEAL)
    assert calls.read_result(before=opened).seal is SEAL
    assert calls.read_result(before=opened, code=400014).seal is None
    assert calls.read_result().seal is None
    assert calls.read_result(before=calls.entered(), code=40019).seal is None


def test_the_replay_key_is_of_what_the_client_sent() -> None:
    key = calls.admitted().replay_key
    assert calls.settled().replay_key == key
    assert calls.admitted("plate").replay_key != key
    assert calls.admitted(source=calls.exchange(eop_date="another")).replay_key == key
    other = calls.exchange()
    other.body_hash = "0" * 64
    assert calls.admitted(source=other).replay_key != key


def test_progress_keeps_the_phase_reached_last() -> None:
    started = Started(calls.exchange(), "r", Stopwatch())
    progress = Progress(started)
    assert progress.record() == CallRecord(started.watch)
    parsed = calls.parsed(3)
    assert progress.reach(parsed) is parsed
    assert progress.record().images == 3 and progress.started is started


def test_no_phase_can_be_changed() -> None:
    found = [each for each in vars(phases).values() if dataclasses.is_dataclass(each) and isinstance(each, type)]
    assert len(found) > 10
    for each in found:
        assert each.__dataclass_params__.frozen, each  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError):
        calls.entered().call_id = "another"  # type: ignore[misc]


def test_an_answer_stands_behind_the_call_that_it_belongs_to() -> None:
    own, admitted = calls.priced(), calls.admitted()
    assert Answered(own, calls.kept()).admitted is own.admitted
    assert Answered(admitted, calls.kept()).admitted is admitted
