"""Corner refinement: a network predicts the offset of each corner in a rectified view with margin."""

from __future__ import annotations

from collections.abc import Sequence

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
_MAX_PASSES = 2


def refine_corners(network: RunNetwork, image: Image, corners: Sequence[Corners]) -> list[Corners]:
    """Better corners of each (4, 2) TL TR BR BL, in source pixels; those that were far off are refined twice."""
    better = list(corners)
    where = list(range(len(better)))
    for _ in range(_MAX_PASSES):
        if not where:
            break
        offsets = network(np.concatenate([normalise(rectified_view(image, better[at])) for at in where]))
        for at, offset in zip(where, offsets, strict=True):
            better[at] = apply_offsets(better[at], offset)
        far = np.hypot(*offsets.reshape(-1, 4, 2).transpose(2, 0, 1)).mean(1) > _SECOND_PASS_OFFSET
        where = [at for at, again in zip(where, far, strict=True) if again]
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
