"""The reader of the capability `qr`. Workers alone import this file."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from inkgate.engines.reader import ReaderContext
from inkgate_qr.capability import Found


class QrReader:
    """QR codes by OpenCV. Keeps nothing between images, so that several threads may call it."""

    def read(self, image: np.ndarray[Any, Any], *, extras: bool) -> Found:
        """Text and corners of each code in a BGR uint8 image of shape (height, width, 3)."""
        some, texts, corners, _ = cv2.QRCodeDetector().detectAndDecodeMulti(image)
        if not some:
            return []
        pairs = zip(texts, np.reshape(corners, (-1, 8)).tolist(), strict=True)
        return [(text, box) for text, box in pairs if text]


def open_reader(context: ReaderContext) -> QrReader:
    """The factory that the entry point names. `context` has the text engine, which QR codes do not need."""
    return QrReader()
