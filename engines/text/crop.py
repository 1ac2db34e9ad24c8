"""A line cut out of its picture and set level."""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.types import Image, Point, Quad

_TALL = 1.5  # taller than this times its width: a column, or a line on its side
_LONG = 2  # wider than this times its height: a line whose ends are known
_BEFORE, _AFTER = 0.1, 0.25  # heights that a line is cut out further than it was found, at its two ends


def size(quad: Quad) -> tuple[float, float]:
    """Width and height of a quadrilateral: the longer of each pair of opposite sides."""
    tl, tr, br, bl = np.asarray(quad)
    return (
        float(max(np.hypot(*(tr - tl)), np.hypot(*(br - bl)))),
        float(max(np.hypot(*(bl - tl)), np.hypot(*(br - tr)))),
    )


def with_ends(quad: Quad) -> Quad:
    """The quadrilateral of a line with a little more at its ends, where detectors overlook light signs (。 ”)."""
    width, height = size(quad)
    if width < _LONG * height:
        return quad
    tl, tr, br, bl = quad
    across, down = (tr[0] - tl[0]) * height / width, (tr[1] - tl[1]) * height / width

    def moved(corner: Point, heights: float) -> Point:
        return corner[0] + heights * across, corner[1] + heights * down

    return moved(tl, -_BEFORE), moved(tr, _AFTER), moved(br, _AFTER), moved(bl, -_BEFORE)


def crop(image: Image, quad: Quad) -> Image:
    """The quadrilateral as an upright BGR uint8 picture; tall ones are laid on their side, top to the left."""
    width, height = (max(round(side), 1) for side in size(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), target)
    cut = cv2.warpPerspective(image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height >= _TALL * width:
        cut = np.rot90(cut)
    return np.ascontiguousarray(cut, np.uint8)
