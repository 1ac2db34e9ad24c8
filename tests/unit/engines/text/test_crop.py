"""Line crops are rectified and extended at both ends."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.text.crop import crop_line, extend_ends

LEVEL = ((100.0, 50.0), (300.0, 50.0), (300.0, 70.0), (100.0, 70.0))


def test_crops_are_extended_along_the_line_direction() -> None:
    assert extend_ends(LEVEL) == ((98.0, 50.0), (305.0, 50.0), (305.0, 70.0), (98.0, 70.0))
    falling = ((0.0, 0.0), (80.0, 60.0), (74.0, 68.0), (-6.0, 68.0 - 60.0))
    (left, top), (right, bottom), *_ = extend_ends(falling)
    assert (left, top) == pytest.approx((-0.8, -0.6)) and (right, bottom) == pytest.approx((82.0, 61.5))


def test_quads_without_a_clear_direction_are_not_extended() -> None:
    square = ((0.0, 0.0), (30.0, 0.0), (30.0, 20.0), (0.0, 20.0))
    assert extend_ends(square) == square


def test_a_stop_outside_the_quad_is_in_the_extended_crop() -> None:
    image = np.full((120, 400, 3), 255, np.uint8)
    image[62:68, 301:304] = 0
    assert crop_line(image, LEVEL).min() == 255
    assert crop_line(image, extend_ends(LEVEL)).min() < 50


def test_crops_beyond_the_image_replicate_its_border() -> None:
    image = np.full((80, 302, 3), 200, np.uint8)
    assert crop_line(image, extend_ends(LEVEL)).min() >= 199


def test_tall_lines_are_extended_downwards() -> None:
    tall = ((50.0, 100.0), (70.0, 100.0), (70.0, 300.0), (50.0, 300.0))
    assert extend_ends(tall) == ((50.0, 98.0), (70.0, 98.0), (70.0, 310.0), (50.0, 310.0))
