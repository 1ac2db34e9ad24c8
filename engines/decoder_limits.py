"""Pixel limit of the decoder (OpenCV), as a second check beside the header check."""

from __future__ import annotations

import os

_LONGEST_SIDE = 1 << 20  # pixels; OpenCV's own default


def limit_decoder(max_pixels: int) -> None:
    """Make OpenCV refuse images of more than `max_pixels` pixels before it allocates memory for them.

    OpenCV reads these names once, when it is first imported: call this before anything that imports cv2.
    """
    side = str(min(max_pixels, _LONGEST_SIDE))
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(max_pixels)
    os.environ["OPENCV_IO_MAX_IMAGE_WIDTH"] = side
    os.environ["OPENCV_IO_MAX_IMAGE_HEIGHT"] = side
