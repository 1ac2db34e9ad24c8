"""Rectifies the quadrilateral of a plate to a strip for the recogniser."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Image, Quad

WIDTH, HEIGHT = 160, 48
MARGIN_X, MARGIN_Y = 0.03, 0.08
"""Share of the strip left around the plate on each side, so that a quadrilateral a little off loses no character."""

UPPER_SHARE = 0.42
"""Where the upper row of a two-row plate ends, as a share of its height (15 + 60 + 15/2 of 220 mm, and some)."""


def canonical_corners(rows: int = 1) -> NDArray[np.float32]:
    """Where the plate's corners TL TR BR BL go in a strip of WIDTH x HEIGHT (twice the height for two rows): (4, 2)
    float32 in pixels of the strip."""
    height = HEIGHT * rows
    return inset_corners(WIDTH, height, WIDTH * MARGIN_X, height * MARGIN_Y / rows)


def inset_corners(width: int, height: int, left: float, top: float) -> NDArray[np.float32]:
    """The corners (4, 2) TL TR BR BL of a frame `left` and `top` pixels inside a view of `width` x `height`."""
    return np.array([(left, top), (width - left, top), (width - left, height - top), (left, height - top)], np.float32)


def rectify(image: Image, corners: NDArray[np.float32], targets: NDArray[np.float32], size: tuple[int, int]) -> Image:
    """A view of `size` (width, height), BGR uint8, in which `corners` of the image lie at `targets`, both (4, 2)."""
    move = cv2.getPerspectiveTransform(corners, targets)
    seen = cv2.warpPerspective(image, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)


def stack_rows(strip: Image) -> Image:
    """A two-row strip (2 * HEIGHT, WIDTH, 3) uint8 as one line (HEIGHT, WIDTH, 3): the upper row squeezed beside the
    lower one."""
    height = strip.shape[0]
    split = round(height * UPPER_SHARE)
    first = round(WIDTH * 0.3)
    upper = cv2.resize(strip[:split, WIDTH // 8 : -WIDTH // 8], (first, HEIGHT), interpolation=cv2.INTER_AREA)
    lower = cv2.resize(strip[split - height // 40 :], (WIDTH - first, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.hstack([upper, lower]), np.uint8)


def rectified_strip(image: Image, quad: Quad, rows: int = 1) -> Image:
    """The plate under `quad` as a BGR uint8 strip of (HEIGHT, WIDTH, 3)."""
    strip = rectify(image, np.array(quad, np.float32), canonical_corners(rows), (WIDTH, HEIGHT * rows))
    return stack_rows(strip) if rows == 2 else strip
