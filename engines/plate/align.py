"""Corners set right by what was read: the characters of a plate stand at known places of its width (GA 36-2018)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.plate.decode import Reading
from engines.plate.detect import Corners
from engines.plate.warp import HEIGHT, MARGIN_X, MARGIN_Y, WIDTH, target
from engines.types import Image

_SEVEN = (38.0, 95.0, 174.0, 231.0, 288.0, 345.0, 402.0)  # millimetres from the left edge to the characters' middles
_EIGHT = (38.0, 91.0, 183.0, 235.0, 287.0, 339.0, 391.0, 443.0)
_MIDDLES = {7: np.array(_SEVEN) / 440, 8: np.array(_EIGHT) / 480}
_BAND = (25 / 140, 115 / 140)  # where characters begin and end, as shares of the height
_HALF = 0.28  # where the left half of a strip has its middle, as a share of the plate's width
_STEP = WIDTH / 40  # pixels of the strip per time step
_FIT = 3.0  # mean misfit in pixels of the strip above which the reading is not trusted to place anything
_MOST = 0.25  # largest change of an edge, as a share of the side


def aligned(strip: Image, corners: Corners, reading: Reading) -> Corners | None:
    """Better corners for a one-row plate read from `strip`, which was cut at `corners`; None where nothing fits."""
    edges_x = _sides(reading)
    if edges_x is None:
        return None
    left, right = edges_x
    top = np.array([HEIGHT * MARGIN_Y] * 2)
    bottom = HEIGHT - top
    halves = [_band(strip[:, : WIDTH // 2 + 8]), _band(strip[:, WIDTH // 2 - 8 :])]
    first, second = halves
    if first is not None and second is not None:
        spread = (np.array([0.0, 1.0]) - _HALF) / (1 - 2 * _HALF)
        (top_a, bottom_a), (top_b, bottom_b) = first, second
        top, bottom = top_a + (top_b - top_a) * spread, bottom_a + (bottom_b - bottom_a) * spread
    elif (whole := _band(strip)) is not None:
        top, bottom = np.array([whole[0]] * 2), np.array([whole[1]] * 2)
    flat = np.array([(left, top[0]), (right, top[1]), (right, bottom[1]), (left, bottom[0])], np.float32)
    back = cv2.getPerspectiveTransform(target(), corners.astype(np.float32))
    return np.asarray(cv2.perspectiveTransform(flat[None], back)[0], np.float32)


def _sides(reading: Reading) -> tuple[float, float] | None:
    """Left and right edge in the strip, from a line through the places where the characters were seen."""
    seen = np.array([(a + b) / 2 * _STEP for a, b in reading.spans])
    wanted = _MIDDLES.get(len(seen))
    if wanted is None:
        return None
    weight = np.array(reading.char_scores)
    if weight.min() < 0.05:
        return None
    slope, start = np.polyfit(wanted, seen, 1, w=weight)
    if float(np.abs(slope * wanted + start - seen).mean()) > _FIT:
        return None
    return _near(float(start), WIDTH * MARGIN_X, WIDTH), _near(float(start + slope), WIDTH * (1 - MARGIN_X), WIDTH)


def _band(strip: Image) -> tuple[float, float] | None:
    """Upper and lower edge in the strip, from the band of rows in which strokes are crossed."""
    grey = cv2.cvtColor(strip, cv2.COLOR_BGR2GRAY).astype(np.float32)
    across = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_32F, 1, 0))[:, WIDTH // 16 : -WIDTH // 16]
    profile: NDArray[np.float32] = cv2.GaussianBlur(across.mean(1)[None], (0, 0), 1.0)[0]
    middle = float(np.median(profile[HEIGHT // 3 : 2 * HEIGHT // 3]))
    low = float(np.quantile(profile, 0.05))
    if middle < 1.6 * max(low, 1.0):
        return None
    inside = profile > (middle + low) / 2
    first, last = HEIGHT // 2, HEIGHT // 2
    while first > 0 and inside[first - 1]:
        first -= 1
    while last < HEIGHT - 1 and inside[last + 1]:
        last += 1
    if first == 0 or last == HEIGHT - 1:
        return None
    scale = (last + 1 - first) / (_BAND[1] - _BAND[0])
    top = first - _BAND[0] * scale
    return _near(top, HEIGHT * MARGIN_Y, HEIGHT), _near(top + scale, HEIGHT * (1 - MARGIN_Y), HEIGHT)


def _near(value: float, expected: float, side: float) -> float:
    return float(np.clip(value, expected - _MOST * side, expected + _MOST * side))
