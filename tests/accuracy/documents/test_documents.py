"""Floors for cards and licences, read end to end from images that draw.py made (seed 3, one of every form).

The images are small and bent, folded, sleeved or recompressed; the figures for larger sets are in
benchmarks/results. A floor moves up when the reading does, never down.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.documents import Tally, local_readers, run

PICTURES = Path(__file__).parent / "pictures"


@pytest.fixture(scope="module")
def tally() -> Tally:
    return run(PICTURES, *local_readers("balanced"))


def faults(tally: Tally, kind: str) -> list[object]:
    return [(one["file"], one["faults"]) for one in tally.wrong if kind in one["file"]]


def test_every_field_of_every_card_is_right(tally):
    assert tally.right["idcard FIELDS"] == tally.counted["idcard FIELDS"], tally.wrong


def test_licence_fields_stay_above_the_floor(tally):
    assert tally.counted["licence FIELDS"] == 50
    assert tally.right["licence FIELDS"] >= FLOOR, tally.wrong


def test_other_cards_are_neither(tally):
    assert tally.right["negatives"] == tally.counted["negatives"] == 1, tally.wrong


FLOOR = 44  # of 50; the recompressed image holds print of nine pixels
