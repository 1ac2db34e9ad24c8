"""Overlap of boxes, and which of those that cover each other stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.boxes import as_quad, overlaps, shared_bounds, suppress


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


BOXES = np.array([box(0, 0, 10, 10), box(5, 0, 25, 10), box(30, 30, 40, 40), box(2, 2, 4, 4)], np.float32)


def test_shared_areas_are_in_square_pixels() -> None:
    assert shared_bounds(BOXES).tolist() == [[100, 50, 0, 4], [50, 200, 0, 0], [0, 0, 100, 0], [4, 0, 0, 4]]
    assert shared_bounds(BOXES).dtype == np.float32


def test_overlap_is_the_share_of_the_smaller_box() -> None:
    assert overlaps(BOXES)[0].tolist() == [1.0, 0.5, 0.0, 1.0]
    flat = np.array([box(0, 0, 0, 10), box(0, 0, 10, 10)], np.float32)
    assert overlaps(flat)[0, 1] == 0  # no area, no division by zero


def test_the_bounding_box_of_a_leaning_quadrilateral_counts() -> None:
    diamond = np.array([[(5, 0), (10, 5), (5, 10), (0, 5)], box(0, 0, 3, 3)], np.float32)
    assert shared_bounds(diamond)[0, 1] == 9


CHAIN = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)  # the first is a duplicate of the second, that of the third


@pytest.mark.parametrize(("chained", "kept"), [(True, [2]), (False, [2, 0])])
def test_what_was_suppressed_suppresses_others_only_in_a_chain(chained: bool, kept: list[int]) -> None:
    assert suppress([0.1, 0.2, 0.3], CHAIN, chained=chained) == kept


@pytest.mark.parametrize("chained", [True, False])
def test_nothing_is_suppressed_by_something_worse(chained: bool) -> None:
    assert suppress([0.3, 0.2, 0.1], CHAIN, chained=chained) == [0, 1, 2]
    assert suppress([], np.zeros((0, 0), bool), chained=chained) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.booleans(), min_size=8, max_size=8)), max_size=8))
def test_greedy_suppression_keeps_what_no_kept_one_covers(given_: list[tuple[int, list[bool]]]) -> None:
    scores = [float(score) for score, _ in given_]
    covered = np.array([row[: len(given_)] for _, row in given_], bool).reshape(len(given_), len(given_))
    kept = suppress(scores, covered, chained=False)
    ranked = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    assert kept == [at for at in ranked if at in kept]
    for place, at in enumerate(ranked):
        better = [other for other in kept if other in ranked[:place]]
        assert (at in kept) is not any(covered[at, other] for other in better)


def test_four_corners_make_a_quadrilateral_of_plain_floats() -> None:
    quad = as_quad(np.array(box(0, 0, 10, 10), np.float32))
    assert quad == ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
    assert all(type(value) is float for corner in quad for value in corner)
    with pytest.raises(ValueError):
        as_quad([(0, 0)] * 3)
