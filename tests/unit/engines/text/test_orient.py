"""Turning a page and turning its boxes back are one another's opposite."""

import numpy as np
import pytest

from inkgate.engines.text.orient import rotate, rotate_back


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_point_comes_back_to_its_pixel(angle: int) -> None:
    source = np.zeros((30, 50, 3), np.uint8)
    source[7, 41] = 255
    ys, xs = np.nonzero(rotate(source, angle)[:, :, 0])
    point = (float(xs[0]), float(ys[0]))
    assert rotate_back((point,) * 4, angle, 50, 30) == ((41.0, 7.0),) * 4
