"""Corners set right by what was read."""

from __future__ import annotations

import numpy as np
import pytest

from engines.plate.align import aligned
from engines.plate.decode import Reading
from engines.plate.training.glyphs import GlyphBox
from engines.plate.training.plates import draw_plate
from engines.plate.training.reader_data import lay
from engines.plate.warp import HEIGHT, MARGIN_X, WIDTH, cut

TRUE = np.array([(200, 150), (400, 158), (398, 222), (198, 214)], np.float64)


def scene() -> np.ndarray:
    rng = np.random.default_rng(3)
    picture = np.full((400, 640, 3), 120, np.uint8)
    lay(draw_plate("blue", GlyphBox(rng, drawn_share=1.0), rng, "粤B7K2M9").picture, TRUE, picture)
    return picture


def spans_at(corners: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The time steps in which the characters of TRUE stand in a strip cut at `corners` (both nearly level)."""
    spans = []
    for middle in (38, 95, 174, 231, 288, 345, 402):
        x = TRUE[0, 0] + (TRUE[1, 0] - TRUE[0, 0]) * middle / 440
        share = (x - corners[0, 0]) / (corners[1, 0] - corners[0, 0])
        step = WIDTH * (MARGIN_X + (1 - 2 * MARGIN_X) * share) / 4
        spans.append((round(step - 1.5), round(step + 1.5)))
    return tuple(spans)


@pytest.mark.parametrize("off", [(-12, 0, 0, 0), (0, 14, 0, 0), (-8, 8, -4, 5), (6, -9, 3, -4)])
def test_a_quadrilateral_that_is_off_is_set_right(off: tuple[int, int, int, int]) -> None:
    left, right, top, bottom = off
    rough = (TRUE + np.array([(left, top), (right, top), (right, bottom), (left, bottom)])).astype(np.float32)
    quad = tuple((float(x), float(y)) for x, y in rough)
    reading = Reading("粤B7K2M9", "seven", (0.99,) * 7, 1.0, spans_at(rough))
    better = aligned(cut(scene(), quad), rough, reading)  # type: ignore[arg-type]
    assert better is not None
    before, after = (np.hypot(*(corners - TRUE).T).mean() for corners in (rough, better))
    assert after < min(before, 0.025 * 200)


def test_characters_that_stand_nowhere_on_a_plate_place_nothing() -> None:
    strip = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    jumbled = Reading(
        "粤B7K2M9", "seven", (0.99,) * 7, 1.0, ((0, 2), (30, 32), (3, 5), (20, 22), (6, 8), (38, 40), (9, 11))
    )
    assert aligned(strip, TRUE.astype(np.float32), jumbled) is None
    doubtful = Reading("粤B7K2M9", "seven", (0.99,) * 6 + (0.01,), 1.0, spans_at(TRUE))
    assert aligned(strip, TRUE.astype(np.float32), doubtful) is None
