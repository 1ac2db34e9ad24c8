"""Crops a line and rectifies it."""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.types import Image, Point, Quad

VERTICAL_ASPECT = 1.5  # taller than this times its width: a vertical line, or a line rotated by 90 degrees
_MIN_EXTENDED_ASPECT = 2  # wider than this times its height: a line whose ends are known
_START_MARGIN, _END_MARGIN = 0.1, 0.25  # in line heights, added to a quadrilateral
_TALL_START_MARGIN, _TALL_END_MARGIN = 0.1, 0.5  # in widths: a stop of vertical writing stands in a cell of its own


def quad_size(quad: Quad) -> tuple[float, float]:
    """Width and height of a quadrilateral: the longer of each pair of opposite sides."""
    tl, tr, br, bl = np.asarray(quad)
    return (
        float(max(np.hypot(*(tr - tl)), np.hypot(*(br - bl)))),
        float(max(np.hypot(*(bl - tl)), np.hypot(*(br - tr)))),
    )


def is_tall(quad: Quad) -> bool:
    """Whether a quadrilateral holds vertical writing, or a line on its side."""
    width, height = (max(round(side), 1) for side in quad_size(quad))
    return height >= VERTICAL_ASPECT * width


def extend_ends(quad: Quad) -> Quad:
    """The quadrilateral of a line extended at both ends, where detectors miss light characters (。 ”).

    Lines that are neither wide nor tall are left as they are: their direction is not known.
    """
    width, height = quad_size(quad)
    tl, tr, br, bl = quad
    if width >= _MIN_EXTENDED_ASPECT * height:
        per_height = height / width
        tl, tr = _extended(tl, tr, _START_MARGIN * per_height, _END_MARGIN * per_height)
        bl, br = _extended(bl, br, _START_MARGIN * per_height, _END_MARGIN * per_height)
    elif height >= _MIN_EXTENDED_ASPECT * width:
        per_width = width / height
        tl, bl = _extended(tl, bl, _TALL_START_MARGIN * per_width, _TALL_END_MARGIN * per_width)
        tr, br = _extended(tr, br, _TALL_START_MARGIN * per_width, _TALL_END_MARGIN * per_width)
    return tl, tr, br, bl


def _extended(start: Point, end: Point, before: float, after: float) -> tuple[Point, Point]:
    """A segment extended by these shares of its length."""
    x, y = end[0] - start[0], end[1] - start[1]
    return (start[0] - before * x, start[1] - before * y), (end[0] + after * x, end[1] + after * y)


def crop_line(image: Image, quad: Quad) -> Image:
    """The quadrilateral rectified to a BGR uint8 image; vertical ones are rotated, their top to the left."""
    width, height = (max(round(side), 1) for side in quad_size(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), target)
    cut = cv2.warpPerspective(image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if is_tall(quad):
        cut = np.rot90(cut)
    return np.ascontiguousarray(cut, np.uint8)
