"""What a line says: a network over columns of pixels, read out by connectionist temporal classification.

Class 0 is the blank; then come the characters of the charset file, then one ASCII blank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.types import Image

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

HEIGHT = 48  # pixels, fixed by the network
MIN_WIDTH = 160  # narrower crops are padded: below this the network was not trained and errs more
MAX_WIDTH = 3200


def load_charset(path: Path) -> list[str]:
    """The classes of the network in order, from a file with one character a line."""
    characters = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return ["", *characters, " "]


class Recogniser:
    """Reads upright line crops, one at a time: on a CPU a batch costs more than its parts."""

    def __init__(self, network: Network, charset: Sequence[str]) -> None:
        self._network = network
        self._charset = charset

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        return [self._decode(self._network(tensor(crop)[None])[0]) for crop in crops]

    def _decode(self, scores: NDArray[np.float32]) -> tuple[str, float]:
        """Best path over `scores` (columns, classes): best class of each column, repeats made one, blanks dropped."""
        best = scores.argmax(axis=1)
        keep = best != 0
        keep[1:] &= best[1:] != best[:-1]
        if not keep.any():
            return "", 0.0
        text = "".join(self._charset[k] for k in best[keep])
        return text, float(scores[keep, best[keep]].mean())


def tensor(crop: Image) -> NDArray[np.float32]:
    """A crop as (3, 48, width) float32 in -1..1, padded with zeros to the least width."""
    height, width = crop.shape[:2]
    wanted = min(max(math.ceil(HEIGHT * width / height), 1), MAX_WIDTH)
    scaled = cv2.resize(crop, (wanted, HEIGHT)).astype(np.float32)
    scaled *= 1 / 127.5
    scaled -= 1
    out = np.zeros((3, HEIGHT, max(wanted, MIN_WIDTH)), np.float32)
    out[:, :, :wanted] = scaled.transpose(2, 0, 1)
    return out
