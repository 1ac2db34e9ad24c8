"""What may stand on a plate, which kind it makes, and in which order plates are answered."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.plate.colour import background_colour
from inkgate.engines.plate.order import left_to_right
from inkgate.engines.plate.syntax import normalise_plate_text, pattern_of, plate_kind
from inkgate.engines.types import Plate


@pytest.mark.parametrize(
    ("text", "colour", "rows", "kind"),
    [
        ("京A12345", "blue", 1, "blue"),
        ("粤B1234学", "yellow", 1, "yellow"),
        ("沪AD12345", "green", 1, "green"),
        ("沪AD12345", "blue", 1, "green"),
        ("粤B12345D", "green", 1, "green_yellow"),
        ("鲁H1234挂", "yellow", 2, "yellow_double"),
        ("鲁H12345", "yellow", 2, "yellow_double"),
        ("粤Z1234港", "black", 1, "black"),
        ("京A1234警", "white", 1, "white"),
        ("使014578", "black", 1, "embassy"),
    ],
)
def test_kinds(text: str, colour: str, rows: int, kind: str) -> None:
    assert pattern_of(text) is not None
    assert plate_kind(text, colour, rows) == kind


@pytest.mark.parametrize(
    "text", ["", "京A1234", "京I12345", "A1234567", "京A12I45", "京A12O45", "沪AD1234A", "欢迎光临停车场"]
)
def test_what_no_plate_carries(text: str) -> None:
    assert pattern_of(text) is None


def test_lines_are_cleaned_of_the_dot_and_of_letters_that_do_not_occur() -> None:
    assert normalise_plate_text("京A·1O3I5") == "京A10315"
    assert normalise_plate_text("粤o 12345") == "粤O12345"


@pytest.mark.parametrize(
    ("name", "bgr", "ink"),
    [
        ("blue", (180, 80, 20), 255),
        ("yellow", (20, 170, 230), 0),
        ("green", (110, 200, 90), 0),
        ("black", (20, 20, 20), 255),
        ("white", (240, 240, 240), 0),
    ],
)
def test_ground_colours(name: str, bgr: tuple[int, int, int], ink: int) -> None:
    strip = np.full((48, 160, 3), bgr, np.uint8)
    strip[12:36, 20:140:4] = ink
    assert background_colour(strip) == name


def test_order_is_by_rows_then_from_the_left() -> None:
    def at(x: float, y: float) -> Plate:
        return Plate(((x, y), (x + 90, y), (x + 90, y + 30), (x, y + 30)), "blue", f"{x:.0f},{y:.0f}", 1.0)

    plates = [at(400, 212), at(10, 300), at(20, 200), at(500, 20)]
    assert [plate.text for plate in left_to_right(plates)] == ["500,20", "20,200", "400,212", "10,300"]
