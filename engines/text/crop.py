"""A line cut out of its picture and set level."""

from __future__ import annotations

import cv2
import numpy as np

from engines.types import Image, Quad

_TALL = 1.5  # taller than this times its width: a column, or a line on its side


def size(quad: Quad) -> tuple[float, float]:
    """Width and height of a quadrilateral: the longer of each pair of opposite sides."""
    tl, tr, br, bl = np.asarray(quad)
    return (
        float(max(np.hypot(*(tr - tl)), np.hypot(*(br - bl)))),
        float(max(np.hypot(*(bl - tl)), np.hypot(*(br - tr)))),
    )


def crop(image: Image, quad: Quad) -> Image:
    """The quadrilateral as an upright BGR uint8 picture; tall ones are laid on their side, top to the left."""
    width, height = (max(round(side), 1) for side in size(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(quad, np.float32), target)
    cut = cv2.warpPerspective(image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height >= _TALL * width:
        cut = np.rot90(cut)
    return np.ascontiguousarray(cut, np.uint8)
