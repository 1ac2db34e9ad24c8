"""Transparent images on a background that their visible pixels stand out from.

Logos, captions and banners are often white on nothing: on white they would be invisible. Only pixels at the border of
what is transparent count, since text on an opaque panel has its own background.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Image

WHITE, GREY, BLACK = 255, 128, 0  # luma of the backgrounds, in order of preference
_STRIP_ROWS = 64  # rows composited at a time: intermediate values take several times the image's memory
_OPAQUE = 128  # alpha from which a pixel is visible
_BORDER_PIXELS = 2  # from a transparent pixel: strokes of text are border all through
_LOW_CONTRAST_SHARE = 0.1  # of the border pixels may have less contrast than the one that a background is judged by
_MIN_CONTRAST = 64  # grey levels: with this contrast white is kept, however much more another one would give


def composite(raw: NDArray[Any]) -> Image:
    """A BGRA image of 8 or 16 bits, shape (height, width, 4), as BGR uint8 on white, mid-grey or black.

    White unless a tenth of the border pixels would stand out by less than 64 grey levels of luma.
    """
    background = _background(_border_histogram(raw))
    composited = np.empty((*raw.shape[:2], 3), np.uint8)
    for top, strip in _strips(raw):
        alpha = strip[:, :, 3:].astype(np.uint16)
        blended = (strip[:, :, :3] * alpha + background * (255 - alpha) + 127) // 255
        composited[top : top + _STRIP_ROWS] = blended
    return composited


def _strips(raw: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The first row of each strip, and the strip in 8 bits."""
    for top in range(0, raw.shape[0], _STRIP_ROWS):
        strip = raw[top : top + _STRIP_ROWS]
        yield top, (strip >> 8).astype(np.uint8) if strip.dtype == np.uint16 else strip.astype(np.uint8, copy=False)


def _border_histogram(raw: NDArray[Any]) -> NDArray[np.int64]:
    """Luma histogram (256,) of visible pixels beside transparent ones."""
    counts = np.zeros(256, np.int64)
    kernel = np.ones((2 * _BORDER_PIXELS + 1,) * 2, np.uint8)
    for _, strip in _strips(raw):
        transparent = (strip[:, :, 3] < _OPAQUE).astype(np.uint8)
        if not transparent.any():
            continue
        border = (cv2.dilate(transparent, kernel) > 0) & (transparent == 0)
        luma = cv2.cvtColor(np.ascontiguousarray(strip[:, :, :3]), cv2.COLOR_BGR2GRAY)
        counts += np.bincount(luma[border], minlength=256)
    return counts


def _background(histogram: NDArray[np.int64]) -> int:
    """The luma of the background for border pixels with this histogram."""
    allowed = _LOW_CONTRAST_SHARE * histogram.sum()
    levels = np.arange(256)

    def contrast(background: int) -> int:
        distance = np.abs(levels - background)
        below = np.cumsum(np.bincount(distance, weights=histogram, minlength=256))
        return int(np.searchsorted(below, allowed, side="right"))

    if not histogram.any() or contrast(WHITE) >= _MIN_CONTRAST:
        return WHITE
    return max((WHITE, GREY, BLACK), key=contrast)
