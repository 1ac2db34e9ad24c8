"""Lines that are upside down in their crops are found by their scores and read turned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from inkgate.engines.text.direction import turn_upside_down_lines
from inkgate.engines.types import Quad

WIDE: Quad = ((10.0, 10.0), (130.0, 10.0), (130.0, 40.0), (10.0, 40.0))
TALL: Quad = ((10.0, 10.0), (40.0, 10.0), (40.0, 130.0), (10.0, 130.0))


def crop(upside_down: bool) -> np.ndarray:
    """An image whose first pixel is bright when it is upright."""
    image = np.zeros((30, 120, 3), np.uint8)
    image[(-1, -1) if upside_down else (0, 0)] = 255
    return image


class Recogniser:
    """Reads upright crops as `upright`, others as `other`."""

    def __init__(self, upright: tuple[str, float], other: tuple[str, float] = ("", 0.0)) -> None:
        self.upright, self.other = upright, other
        self.crops = 0

    def __call__(self, crops: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        self.crops += len(crops)
        return [self.upright if image[0, 0, 0] else self.other for image in crops]


@pytest.mark.parametrize(
    ("quad", "turned"),
    [(WIDE, (WIDE[2], WIDE[3], WIDE[0], WIDE[1])), (TALL, (TALL[3], TALL[0], TALL[1], TALL[2]))],
)
def test_an_upside_down_line_is_read_turned_and_its_corners_follow(quad: Quad, turned: Quad) -> None:
    draft, read = Recogniser(("会议室", 0.95)), Recogniser(("会议室", 0.99))
    (line,) = turn_upside_down_lines([quad], [crop(True)], [("喜X", 0.6)], draft, read)
    assert (line.text, line.score, line.quad) == ("会议室", 0.99, turned)


def test_a_line_that_was_read_well_is_not_read_again() -> None:
    draft, read = Recogniser(("x", 1.0)), Recogniser(("x", 1.0))
    (line,) = turn_upside_down_lines([WIDE], [crop(False)], [("会议室开", 0.97)], draft, read)
    assert (line.text, line.quad, draft.crops, read.crops) == ("会议室开", WIDE, 0, 0)


def test_a_blurred_line_that_is_no_better_turned_stays() -> None:
    draft, read = Recogniser(("", 0.0), ("票", 0.5)), Recogniser(("", 0.0))
    (line,) = turn_upside_down_lines([WIDE], [crop(False)], [("会议室", 0.7)], draft, read)
    assert (line.text, line.quad, draft.crops, read.crops) == ("会议室", WIDE, 1, 0)


def test_a_turned_reading_of_low_score_is_not_taken() -> None:
    draft, read = Recogniser(("会议", 0.9)), Recogniser(("会议", 0.8))
    (line,) = turn_upside_down_lines([WIDE], [crop(True)], [("喜X", 0.6)], draft, read)
    assert line.text == "喜X"


def test_a_long_line_of_few_characters_is_tried_turned() -> None:
    draft, read = Recogniser(("中国通史简编", 0.97)), Recogniser(("中国通史简编", 0.99))
    wide = np.zeros((20, 130, 3), np.uint8)
    wide[-1, -1] = 255
    (line,) = turn_upside_down_lines([WIDE], [wide], [("中", 0.995)], draft, read)
    assert line.text == "中国通史简编"


def test_marks_of_vertical_writing() -> None:
    none, readings = Recogniser(("", 0.0)), [("灯下有书°", 0.95), ("北纬30°", 0.95)]
    tall, wide = turn_upside_down_lines([TALL, WIDE], [crop(False)] * 2, readings, none, none)
    assert (tall.text, wide.text) == ("灯下有书。", "北纬30°")


def test_a_line_of_a_machine_readable_zone_is_not_turned_into_its_mirror_image() -> None:
    draft, read = Recogniser((">>>>>>>>>>IM", 0.95)), Recogniser((">>>>>>>>>>IM", 0.99))
    (line,) = turn_upside_down_lines([WIDE], [crop(True)], [("WI<<<<<<<<<<", 0.6)], draft, read)
    assert (line.text, line.quad, draft.crops) == ("WI<<<<<<<<<<", WIDE, 0)
