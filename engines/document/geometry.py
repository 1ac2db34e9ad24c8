"""Quarter turns, crops of quadrilaterals, and the inverse mapping to the source image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from inkgate.engines.boxes import as_quad
from inkgate.engines.types import Image, Point, Quad

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def rotate(image: Image, angle: int) -> Image:
    """The image (height, width, 3) uint8 turned clockwise by 0, 90, 180 or 270 degrees; at 0 the same array.

    Raises KeyError for another angle.
    """
    return image if angle % 360 == 0 else np.asarray(cv2.rotate(image, _TURNS[angle % 360]), dtype=np.uint8)


def rotate_back(point: Point, angle: int, width: int, height: int) -> Point:
    """A point of the turned image in the frame of the source image, which is `width` x `height` pixels."""
    x, y = point
    return {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[angle % 360]


def crop_quad(image: Image, quad: Quad | Sequence[Point], pad: float = 0.0) -> Image:
    """The upright crop of a quadrilateral in pixels of `image`, BGR uint8, at least 2 x 2 and as large as its longer
    sides; `pad` widens it by that share of its height on each side."""
    corners = np.asarray(quad, np.float32)
    width = max(math.dist(corners[0], corners[1]), math.dist(corners[3], corners[2]))
    height = max(math.dist(corners[0], corners[3]), math.dist(corners[1], corners[2]))
    w, h = max(2, round(width)), max(2, round(height))
    d = pad * h
    target = np.array([[d, d], [w + d, d], [w + d, h + d], [d, h + d]], np.float32)
    size = (round(w + 2 * d), round(h + 2 * d))
    matrix = cv2.getPerspectiveTransform(corners, target)
    crop = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, dtype=np.uint8)


def sub_quad(quad: Quad, start: float, end: float) -> Quad:
    """The part of a text quadrilateral between two shares (0..1) of its width."""
    top_left, top_right, bottom_right, bottom_left = (np.asarray(p) for p in quad)
    top, bottom = top_right - top_left, bottom_right - bottom_left
    corners = (top_left + start * top, top_left + end * top, bottom_left + end * bottom, bottom_left + start * bottom)
    return as_quad(corners)
