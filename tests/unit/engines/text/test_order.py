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


def column(name: str, left: float, top: float, width: float, rows: int, tilt: float = 0.0) -> list[Line]:
    """A column of prose: full lines, the last one shorter."""
    return [
        line(f"{name}行{row}", left, top + 30 * row, width if row < rows - 1 else width / 2, tilt=tilt)
        for row in range(rows)
    ]


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("degrees", [-3, 0, 2])
def test_columns_of_a_newspaper_below_a_short_headline(count: int, degrees: float) -> None:
    tilt = math.radians(degrees)
    columns = [one for at in range(count) for one in column("甲乙丙丁"[at], 280 * at, 90, 240, 12, tilt)]
    wanted = [line("标题", 140 * count - 80, 0, 120, 44, tilt), *columns]
    assert read(wanted) == [one.text for one in wanted]


def test_columns_of_unequal_width_and_height() -> None:
    wanted = [*column("a", 0, 60, 130, 14), *column("b", 170, 0, 500, 11)]
    assert read(wanted) == [one.text for one in wanted]


def test_a_headline_across_two_of_three_columns() -> None:
    left = [*column("a", 0, 60, 240, 9), *column("b", 280, 60, 240, 9)]
    wanted = [line("标题在两栏之上", 0, 0, 520, 40), *left, *column("c", 560, 0, 240, 11)]
    assert read(wanted) == [one.text for one in wanted]


def test_two_articles_one_above_the_other() -> None:
    upper = [line("第一篇", 0, 0, 500, 36), *column("a", 0, 60, 240, 6), *column("b", 280, 60, 240, 6)]
    lower = [line("第二篇", 0, 300, 500, 36), *column("c", 0, 360, 240, 7), *column("d", 280, 360, 240, 7)]
    assert read(upper + lower) == [one.text for one in upper + lower]


def test_columns_of_dates_and_amounts_are_a_table() -> None:
    cells = [
        line(text, 260 * at, 34 * row, 110)
        for row in range(9)
        for at, text in enumerate(("温州市鹿城", f"2026-05-{row + 10}", f"{1200 + row}.50"))
    ]
    assert read(cells) == [one.text for one in cells]


def projected(one: Line, homography: list[list[float]]) -> Line:
    def point(x: float, y: float) -> tuple[float, float]:
        u, v, w = (a * x + b * y + c for a, b, c in homography)
        return u / w, v / w

    a, b, c, d = (point(*corner) for corner in one.quad)
    return Line((a, b, c, d), one.text, one.score)


@pytest.mark.parametrize("away", [4e-4, -2.2e-4])
def test_rows_of_a_table_seen_from_the_side(away: float) -> None:
    cells = [
        line(f"{row}行{at}", 300 * at, 46 * row, 90 + 20 * ((row + at) % 3), 30) for row in range(14) for at in range(5)
    ]
    seen = [projected(cell, [[1, 0, 0], [0, 1, 60], [away, 0, 1]]) for cell in cells]
    assert read(seen) == [cell.text for cell in cells]


def test_lines_upside_down_follow_in_their_own_order() -> None:
    upright = [line("上一", 0, 200, 200), line("上二", 0, 240, 200)]
    turned = [
        Line((c, d, a, b), one.text, 1.0)
        for one in (line("反一", 0, 60, 200), line("反二", 0, 20, 200))
        for a, b, c, d in [one.quad]
    ]
    assert read(upright + turned) == ["上一", "上二", "反一", "反二"]


def test_a_title_that_reads_upwards_does_not_disturb_the_rows() -> None:
    rows = [line(f"{row}-{at}", 100 + 200 * at, 40 * row, 120) for row in range(6) for at in range(3)]
    a, b, c, d = line("轴的标题", 20, 40, 24, 150).quad
    found = read([*rows, Line((d, a, b, c), "轴的标题", 1.0)])
    assert [text for text in found if text != "轴的标题"] == [one.text for one in rows]
