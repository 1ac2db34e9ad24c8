"""Crops a line and rectifies it."""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.types import Image, Point, Quad

_VERTICAL_ASPECT = 1.5  # taller than this times its width: a vertical line, or a line rotated by 90 degrees
_MIN_EXTENDED_ASPECT = 2  # wider than this times its height: a line whose ends are known
_START_MARGIN, _END_MARGIN = 0.1, 0.25  # in line heights, added to a quadrilateral


def quad_size(quad: Quad) -> tuple[float, float]:
    """Width and height of a quadrilateral: the longer of each pair of opposite sides."""
    tl, tr, br, bl = np.asarray(quad)
    return (
        float(max(np.hypot(*(tr - tl)), np.hypot(*(br - bl)))),
        float(max(np.hypot(*(bl - tl)), np.hypot(*(br - tr)))),
    )


def extend_ends(quad: Quad) -> Quad:
    """The quadrilateral of a line extended at both ends, where detectors miss light characters (。 ”)."""
    width, height = quad_size(quad)
    if width < _MIN_EXTENDED_ASPECT * height:
        return quad
    tl, tr, br, bl = quad
    across, down = (tr[0] - tl[0]) * height / width, (tr[1] - tl[1]) * height / width

    def shifted_corner(corner: Point, heights: float) -> Point:
        return corner[0] + heights * across, corner[1] + heights * down

    return (
        shifted_corner(tl, -_START_MARGIN),
        shifted_corner(tr, _END_MARGIN),
        shifted_corner(br, _END_MARGIN),
        shifted_corner(bl, -_START_MARGIN),
    )


def crop_line(image: Image, quad: Quad) -> Image:
    """The quadrilateral rectified to a BGR uint8 image; vertical ones are rotated, their top to the left."""
    width, height = (max(round(side), 1) for side in quad_size(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), target)
    cut = cv2.warpPerspective(image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height >= _VERTICAL_ASPECT * width:
        cut = np.rot90(cut)
    return np.ascontiguousarray(cut, np.uint8)
