"""The colour of a plate's background colour from its pixels, without a network."""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.types import Image


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
