"""Removes red ink: text below a seal is visible in the red channel."""

from __future__ import annotations

import numpy as np

from inkgate.engines.types import Image

_MIN_RED_EXCESS = 38  # how much red must stand above green and blue


def remove_red_ink(image: Image) -> Image:
    """The image (BGR uint8) with every reddish pixel replaced by its red channel, in which red ink is near white."""
    blue, green, red = image[..., 0], image[..., 1], image[..., 2]
    reddish = red.astype(np.int16) - np.maximum(green, blue) > _MIN_RED_EXCESS
    if reddish.mean() > 0.3:  # a red background or light, not ink
        return image
    out = image.copy()
    out[reddish] = red[reddish][:, None]
    return out
