"""Better corners: what the corner network is shown, and what becomes of what it says."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.manifest import find_model_file
from inkgate.engines.plate.refine import (
    HEIGHT,
    MARGIN_X,
    WIDTH,
    apply_offsets,
    canonical_corners,
    rectified_view,
    refine_corners,
)
from inkgate.engines.plate.training.glyphs import GlyphBox
from inkgate.engines.plate.training.plates import draw_plate
from inkgate.engines.plate.training.reader_data import lay
from inkgate.engines.runtimes.onnx import OnnxNetwork

TRUE = np.array([(200, 150), (400, 158), (398, 222), (198, 214)], np.float64)


def scene() -> np.ndarray:
    rng = np.random.default_rng(3)
    image = np.full((400, 640, 3), 120, np.uint8)
    lay(draw_plate("blue", GlyphBox(rng, drawn_share=1.0), rng, "粤B7K2M9").image, TRUE, image)
    return image


def test_the_view_shows_the_plate_and_what_is_around_it() -> None:
    seen = rectified_view(scene(), TRUE.astype(np.float32))
    assert seen.shape == (HEIGHT, WIDTH, 3)
    assert tuple(seen[2, 2]) == (120, 120, 120), "the ground around"
    blue, _, red = seen[HEIGHT // 2, round(WIDTH * MARGIN_X) + 4].astype(int)
    assert blue > red + 40, "the plate's own ground"


def test_no_way_to_go_leaves_the_corners_where_they_are() -> None:
    assert apply_offsets(TRUE.astype(np.float32), np.zeros(8, np.float32)) == pytest.approx(TRUE, abs=1e-3)


def test_ways_are_pixels_of_the_view() -> None:
    corners = 2 * canonical_corners() + 100  # twice as large in the image
    away = np.array([3, 1, 0, 0, 0, 0, 0, 0], np.float32)
    better = apply_offsets(corners.astype(np.float32), away)
    assert better[0] == pytest.approx(corners[0] + (6, 2), abs=1e-3)
    assert better[1:] == pytest.approx(corners[1:], abs=1e-3)


@pytest.mark.parametrize(("way", "looks"), [(1.0, 1), (4.0, 2)])
def test_corners_that_were_far_off_are_looked_at_twice(way: float, looks: int) -> None:
    asked = []

    def network(batch: np.ndarray) -> np.ndarray:
        asked.append(batch.shape)
        return np.full((1, 8), way if len(asked) == 1 else 0, np.float32)

    refine_corners(network, scene(), [TRUE.astype(np.float32)])
    assert asked == [(1, 3, HEIGHT, WIDTH)] * looks


@pytest.mark.parametrize("off", [(-12, 0, 0, 0), (0, 14, 0, 0), (-8, 8, -4, 5), (6, -9, 3, -4)])
def test_the_shipped_network_sets_a_quadrilateral_right(off: tuple[int, int, int, int]) -> None:
    left, right, top, bottom = off
    rough = (TRUE + np.array([(left, top), (right, top), (right, bottom), (left, bottom)])).astype(np.float32)
    better = refine_corners(OnnxNetwork(find_model_file("plate-corners", None)), scene(), [rough])[0]
    error = np.hypot(*(better - TRUE).T).mean() / 200
    assert error < 0.015
    assert error < 0.5 * np.hypot(*(rough - TRUE).T).mean() / 200
