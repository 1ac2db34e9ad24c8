"""Corner refinement: a network predicts the offset of each corner in a rectified view with margin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.detect import Corners, normalise
from inkgate.engines.plate.warp import framed, levelled
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image

WIDTH, HEIGHT = 160, 64
MARGIN_X, MARGIN_Y = 0.12, 0.22
"""Share of the view left around the plate on each side: corners may be wrong by this much and are still in sight."""
_FAR = 3.0  # mean way in pixels of the view from which on the corners are looked at once more


def refined(network: RunNetwork, picture: Image, corners: Corners) -> Corners:
    """Better corners (4, 2) TL TR BR BL, in source pixels."""
    away = network(normalise(view(picture, corners)))[0]
    better = moved(corners, away)
    if float(np.hypot(*away.reshape(4, 2).T).mean()) > _FAR:
        better = moved(better, network(normalise(view(picture, better)))[0])
    return better


def level() -> Corners:
    """Where the corners TL TR BR BL go in a view of WIDTH x HEIGHT pixels, if they are right."""
    return framed(WIDTH, HEIGHT, WIDTH * MARGIN_X, HEIGHT * MARGIN_Y)


def view(picture: Image, corners: Corners) -> Image:
    """What is at and around `corners`, rectified: BGR uint8 (HEIGHT, WIDTH, 3)."""
    return levelled(picture, np.asarray(corners, np.float32), level(), (WIDTH, HEIGHT))


def moved(corners: Corners, away: NDArray[np.float32]) -> Corners:
    """`corners` in source pixels, moved by what the network says: (8,) x and y of TL TR BR BL in pixels of the view."""
    back = cv2.getPerspectiveTransform(level(), np.asarray(corners, np.float32))
    right = level() + np.asarray(away, np.float32).reshape(4, 2)
    return np.asarray(cv2.perspectiveTransform(right[None], back)[0], np.float32)
