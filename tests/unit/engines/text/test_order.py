"""Lines come in the order in which a person reads them."""

import math
import random

import pytest

from inkgate.engines.text.order import reading_order
from inkgate.engines.types import Line


def line(text: str, left: float, top: float, width: float, height: float = 20, tilt: float = 0.0) -> Line:
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    cos, sin = math.cos(tilt), math.sin(tilt)
    a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in corners)
    return Line((a, b, c, d), text, 1.0)


def read(lines: list[Line]) -> list[str]:
    shuffled = lines[:]
    random.Random(7).shuffle(shuffled)
    return [one.text for one in reading_order(shuffled)]


@pytest.mark.parametrize("degrees", [-8, -2, 0, 3, 9])
def test_rows_from_the_top_each_from_the_left(degrees: float) -> None:
    tilt = math.radians(degrees)
    lines = [
        line(f"{row}{column}", 50 + 300 * column, 40 * row, 200, tilt=tilt) for row in range(6) for column in range(3)
    ]
    assert read(lines) == [one.text for one in lines]


@pytest.mark.parametrize("degrees", [-4, 0, 4])
def test_two_columns_of_prose_between_title_and_footer(degrees: float) -> None:
    tilt = math.radians(degrees)
    title = line("title", 0, 0, 700, tilt=tilt)
    left = [line(f"l{row}", 0, 40 + 30 * row, 330 if row % 4 else 200, tilt=tilt) for row in range(8)]
    right = [line(f"r{row}", 370, 40 + 30 * row, 330, tilt=tilt) for row in range(8)]
    footer = line("footer", 0, 300, 700, tilt=tilt)
    wanted = [title, *left, *right, footer]
    assert read(wanted) == [one.text for one in wanted]


def test_a_table_is_read_in_rows() -> None:
    lines = [
        line(f"{row}-{column}", 150 * column, 30 * row, 40 + 13 * ((row * 7 + column * 5) % 8))
        for row in range(8)
        for column in range(4)
    ]
    assert read(lines) == [one.text for one in lines]


def test_vertical_writing_from_the_right() -> None:
    lines = [line(f"column{k}", 500 - 60 * k, 20, 30, 400) for k in range(5)]
    assert read(lines) == [one.text for one in lines]


def test_one_line_and_none() -> None:
    assert read([]) == []
    assert read([line("a", 0, 0, 10)]) == ["a"]
