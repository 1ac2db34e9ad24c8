"""Page orientation: a classifier over four rotations."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import RunNetwork
from inkgate.engines.types import Image, Quad

_SIDE = 224
_RESIZED = 256  # the short side before the centre crop
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_ROTATIONS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


class OrientationClassifier:
    """Classifies the rotation of a page (PP-LCNet, four classes)."""

    def __init__(self, network: RunNetwork) -> None:
        self._network = network

    def scores(self, image: Image) -> NDArray[np.float32]:
        """Probabilities that the page must be turned clockwise by 0, 90, 180, 270 degrees, shape (4,)."""
        height, width = image.shape[:2]
        ratio = _RESIZED / min(height, width)
        small = cv2.resize(image, (max(round(width * ratio), _SIDE), max(round(height * ratio), _SIDE)))
        top, left = (small.shape[0] - _SIDE) // 2, (small.shape[1] - _SIDE) // 2
        middle = small[top : top + _SIDE, left : left + _SIDE, ::-1].astype(np.float32)
        normal = (middle / 255 - _MEAN) / _STD
        # The classes are clockwise rotations of the page; the correction is the opposite rotation.
        applied_rotation = self._network(np.ascontiguousarray(normal.transpose(2, 0, 1)[None]))
        return applied_rotation[0, [0, 3, 2, 1]]

    def __call__(self, image: Image) -> int:
        """Clockwise degrees (0, 90, 180, 270) by which the image must be turned to stand upright."""
        return 90 * int(self.scores(image).argmax())


def rotate(image: Image, angle: int) -> Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees."""
    code = _ROTATIONS[angle // 90]
    return image if code is None else np.asarray(cv2.rotate(image, code), np.uint8)


def rotate_back(quad: Quad, angle: int, width: int, height: int) -> Quad:
    """A quadrilateral of the turned image in pixels of the source of `width` x `height`; corners keep their order."""

    def back(x: float, y: float) -> tuple[float, float]:
        match angle:
            case 90:
                return y, height - 1 - x
            case 180:
                return width - 1 - x, height - 1 - y
            case 270:
                return width - 1 - y, x
            case _:
                return x, y

    a, b, c, d = (back(*point) for point in quad)
    return a, b, c, d
