"""Corner refinement: a network predicts the offset of each corner in a rectified view with margin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.detect import Corners, normalise
from inkgate.engines.plate.rectify import inset_corners, rectify
from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image

WIDTH, HEIGHT = 160, 64
MARGIN_X, MARGIN_Y = 0.12, 0.22
"""Share of the view left around the plate on each side: corners may be wrong by this much and are still in sight."""
_SECOND_PASS_OFFSET = 3.0  # mean offset in pixels of the view above which a second pass follows


def refine_corners(network: RunNetwork, image: Image, corners: Corners) -> Corners:
    """Better corners (4, 2) TL TR BR BL, in source pixels."""
    offsets = network(normalise(rectified_view(image, corners)))[0]
    better = apply_offsets(corners, offsets)
    if float(np.hypot(*offsets.reshape(4, 2).T).mean()) > _SECOND_PASS_OFFSET:
        better = apply_offsets(better, network(normalise(rectified_view(image, better)))[0])
    return better


def canonical_corners() -> Corners:
    """Where the corners TL TR BR BL go in a view of WIDTH x HEIGHT pixels, if they are right."""
    return inset_corners(WIDTH, HEIGHT, WIDTH * MARGIN_X, HEIGHT * MARGIN_Y)


def rectified_view(image: Image, corners: Corners) -> Image:
    """The rectified region of `corners` with its margin: BGR uint8 (HEIGHT, WIDTH, 3)."""
    return rectify(image, np.asarray(corners, np.float32), canonical_corners(), (WIDTH, HEIGHT))


def apply_offsets(corners: Corners, offsets: NDArray[np.float32]) -> Corners:
    """`corners` in source pixels, moved by what the network says: (8,) x and y of TL TR BR BL in pixels of the view."""
    back = cv2.getPerspectiveTransform(canonical_corners(), np.asarray(corners, np.float32))
    right = canonical_corners() + np.asarray(offsets, np.float32).reshape(4, 2)
    return np.asarray(cv2.perspectiveTransform(right[None], back)[0], np.float32)
