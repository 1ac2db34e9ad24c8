"""What one call adds, and the bounds of what waits in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.contract.capabilities import IDCARD
from inkgate.service.takeover import tally as tallies
from inkgate.service.takeover.compare import Difference, compare
from inkgate.service.takeover.measures import measures
from inkgate.service.takeover.observation import CloudAnswer, LocalAnswer, Observation
from inkgate.service.takeover.tally import Keeping, Tally, slot_of, storable
from tests.unit.takeover.answers import answer

AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)  # 4 o'clock of the next day in Beijing
CLOUD_BODY = answer(IDCARD, {"note": "back", "detail": {"name": "林", "idn": "1"}}, "size")
LOCAL_BODY = answer(IDCARD, {"note": "back", "detail": {"name": "森", "idn": "1"}}, "size")
SEEN = Observation(
    AT,
    "account",
    "app",
    IDCARD.name,
    CloudAnswer(200, "0", 0.25, CLOUD_BODY),
    LocalAnswer(200, "0", 0.03, LOCAL_BODY),
    "",
)


def test_what_a_compared_call_adds() -> None:
    assert measures(IDCARD, SEEN, compare(IDCARD, CLOUD_BODY, LOCAL_BODY)) == {
        "calls": 1,
        "compared": 1,
        "images": 1,
        "units": 2,
        "cloud_time.ms_320": 1,
        "local_time.ms_40": 1,
        "code.0.0": 1,
        "image_code.4010.4010": 1,
        "field.note.equal": 1,
        "field.name.differs": 1,
        "field.idn.equal": 1,
        **{f"field.{name}.empty": 1 for name in ("sex", "nation", "birthday", "addr", "org", "validperiod")},
    }


@pytest.mark.parametrize(
    ("observation", "added"),
    [
        (replace(SEEN, local=None, skipped="shed"), {"skipped.shed": 1, "units": 2, "cloud_time.ms_320": 1}),
        (replace(SEEN, local=None, cloud=None, skipped="sealed"), {"skipped.sealed": 1}),
        (replace(SEEN, local=None, cloud=None, skipped="failed"), {"skipped.failed": 1, "code.none.none": 1}),
        (replace(SEEN, local=None, cloud=None, skipped="a new reason"), {"skipped.other": 1}),
        (replace(SEEN, cloud=None), {"local_time.ms_40": 1, "code.none.0": 1}),
        (
            replace(SEEN, cloud=CloudAnswer(502, "", 100.0, b"<html>")),
            {"cloud_time.ms_more": 1, "local_time.ms_40": 1, "code.http_502.0": 1},
        ),
    ],
)
def test_what_a_call_without_two_answers_adds(observation: Observation, added: dict[str, int]) -> None:
    assert measures(IDCARD, observation, None) == {"calls": 1, **added}


def test_personal_values_are_kept_only_where_they_are_allowed() -> None:
    given_values = (Difference("name", "林", "森", True), Difference("note", "front", "", False))
    for personal, fields in ((False, {"note"}), (True, {"note", "name"})):
        tally = Tally(Keeping(personal_values=personal))
        tally.add(SEEN, {}, given_values)
        assert {key.field for key in tally.differences} == fields
        assert {key.day for key in tally.differences} == {datetime(2026, 3, 1, 16, tzinfo=UTC)}
    nothing = Tally(Keeping(values_per_field=0, personal_values=True))
    nothing.add(SEEN, {}, given_values)
    assert not nothing.differences


def test_the_same_pair_is_counted_and_another_one_in_its_slot_left_out() -> None:
    tally = Tally(Keeping(values_per_field=1))
    for value in ("a", "a", "b"):
        tally.add(SEEN, {}, (Difference("note", value, "", False),))
    tally.add(replace(SEEN, at=AT + timedelta(hours=1)), {}, (Difference("note", "a", "", False),))
    (row,) = tally.difference_rows()
    assert (row["cloud"], row["count"], row["last_at"]) == ("a", 3, AT + timedelta(hours=1))


def test_what_has_no_room_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_FIGURES", 3)
    monkeypatch.setattr(tallies, "MAX_DIFFERENCES", 2)
    tally = Tally(Keeping())
    values = tuple(Difference("note", str(number), "", False) for number in range(9))
    tally.add(SEEN, {str(number): 1 for number in range(5)}, values)
    tally.add(SEEN, {"0": 4}, ())
    assert len(tally.figures) == 3 and len(tally.differences) == 2 and tally.dropped == 2
    assert sorted(tally.figures.values()) == [1, 1, 5]


def test_what_could_not_be_written_comes_back() -> None:
    tally = Tally(Keeping())
    tally.add(SEEN, {"calls": 2}, (Difference("note", "a", "b", False),))
    taken = tally.take()
    assert taken and not tally
    tally.add(SEEN, {"calls": 1}, (Difference("note", "a", "b", False),))
    tally.give_back(taken)
    assert list(tally.figures.values()) == [3] and [each.count for each in tally.differences.values()] == [2]


@given(st.text(), st.text(), st.integers(1, 1000))
def test_slots_are_in_range_and_values_storable(cloud: str, local: str, slots: int) -> None:
    one, other = storable(cloud), storable(local)
    assert "\0" not in one + other and len(one) <= 200
    assert 0 <= slot_of(one, other, slots) < slots
