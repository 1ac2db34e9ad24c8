"""The background colour of a plate: from its pixels alone, or from network, text and pixels together."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.alphabet import COLOURS, ENDINGS
from inkgate.engines.plate.rectify import HEIGHT, MARGIN_X, WIDTH
from inkgate.engines.types import Image

_TIE_RATIO = 0.2  # share of the best probability from which on the pixels may choose blue or yellow
_WRONG_INK_FACTOR = 0.1  # factor for a colour whose characters are of the other brightness
_MIN_INK_CONTRAST = 3.0  # grey levels below which the characters do not stand out from the background
_MIN_AGREEING_GAPS = 5  # least number of the six gaps that are all darker, or all lighter, than the characters
_MIN_BLACK = 0.5  # probability below which a plate of civil text is not black
_DARK_INK = ("yellow", "white")
_PLATE_MM = 440.0
_CELL_MM = tuple((left, left + 45.0) for left in (15.5, 72.5, 151.5, 208.5, 265.5, 322.5, 379.5))
"""Left and right edge of each character of a plate of seven, GA 36-2018."""


def background_colour(strip: Image) -> str:
    """blue, yellow, green, black or white: the commonest hue of a BGR uint8 strip that a plate fills."""
    height, width = strip.shape[:2]
    inner = strip[height // 10 : height - height // 10, width // 20 : width - width // 20]
    hsv = cv2.cvtColor(inner, cv2.COLOR_BGR2HSV).reshape(-1, 3)
    hue, saturation, value = hsv[:, 0], hsv[:, 1], hsv[:, 2]
    coloured = (saturation > 60) & (value > 40)
    shares = {
        "yellow": np.mean(coloured & (hue >= 11) & (hue <= 34)),
        "green": np.mean(coloured & (hue > 34) & (hue <= 94)),
        "blue": np.mean(coloured & (hue > 94) & (hue <= 130)),
    }
    best = max(shares, key=lambda name: float(shares[name]))
    if shares[best] >= 0.2:
        return best
    return "white" if float(np.median(value)) > 128 else "black"


def ink_contrast(strip: Image) -> float:
    """How much lighter the characters are than the background, in grey levels, negative where they are darker; from a
    BGR uint8 strip (HEIGHT, WIDTH, 3) of a plate with seven characters in one row. Compares the character cells with
    the gaps between them: unlike the colour, that survives over-exposure. 0 where two of the six gaps disagree."""
    grey = cv2.cvtColor(strip, cv2.COLOR_BGR2GRAY)
    upper, lower = grey[HEIGHT // 4 : HEIGHT * 7 // 16], grey[HEIGHT * 9 // 16 : HEIGHT * 3 // 4]
    columns = np.concatenate([upper, lower]).mean(0)  # without the dot in the middle
    edges = WIDTH * (MARGIN_X + (1 - 2 * MARGIN_X) * np.array(_CELL_MM) / _PLATE_MM)
    cells = np.array([columns[round(left) : round(right)].mean() for left, right in edges])
    gaps = []
    for (_, left), (right, _) in pairwise(edges):
        middle, half = (left + right) / 2, max((right - left) / 2 - 1, 1)
        gaps.append(columns[round(middle - half) : round(middle + half)].mean())
    contrasts = (cells[:-1] + cells[1:]) / 2 - np.array(gaps)
    agreeing = max(int((contrasts > 0).sum()), int((contrasts < 0).sum()))
    return float(np.median(contrasts)) if agreeing >= _MIN_AGREEING_GAPS else 0.0


def decide_colour(probabilities: NDArray[np.float32], text: str, strip: Image, rows: int) -> str:
    """The background colour (one of COLOURS) of a plate with seven characters. `probabilities` are those of the network
    (COLOURS); green and "none" are left out, since green plates have eight.

    A text without a special ending is civil: such plates are blue or yellow, hardly ever black, never white. Strong
    light takes the colour from the background, not the contrast from the characters, which are white on blue and black
    on yellow. Between blue and yellow of similar probability the hue of the pixels decides.
    """
    share = {name: float(probabilities[COLOURS.index(name)]) for name in ("blue", "yellow", "black", "white")}
    if text[-1] not in ENDINGS:
        share["white"] = 0.0
        if share["black"] < _MIN_BLACK:
            share["black"] = 0.0
        if rows == 1:
            contrast = ink_contrast(strip)
            for name in share:
                if abs(contrast) >= _MIN_INK_CONTRAST and (contrast < 0) != (name in _DARK_INK):
                    share[name] *= _WRONG_INK_FACTOR
    best = max(share, key=lambda name: share[name])
    shown = background_colour(strip)
    if shown in ("blue", "yellow") and share[shown] > _TIE_RATIO * share[best]:
        return shown
    return best
