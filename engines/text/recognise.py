"""What a line says: a network over columns of pixels, read out by connectionist temporal classification.

Class 0 is the blank; then come the characters of the charset file, then one ASCII blank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.types import Image

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Tensor = NDArray[np.float32]

HEIGHT = 48  # pixels, fixed by the network
MIN_WIDTH = 160  # narrower crops are padded: below this the network was not trained and errs more
MAX_WIDTH = 3200
STRIDE = 8  # pixels of a crop per column of scores


def load_charset(path: Path) -> list[str]:
    """The classes of the network in order, from a file with one character a line."""
    characters = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return ["", *characters, " "]


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters of a line with the probability of each, and the column of scores where each begins."""

    characters: list[str]
    scores: NDArray[np.float32]
    columns: NDArray[np.intp]

    @property
    def text(self) -> str:
        return "".join(self.characters)

    @property
    def score(self) -> float:
        """The mean probability, 0 for an empty line."""
        return float(self.scores.mean()) if self.characters else 0.0


class Recogniser:
    """Reads upright line crops, one at a time: on a CPU a batch costs more than its parts."""

    def __init__(self, network: Network, charset: Sequence[str]) -> None:
        self.network = network
        self._charset = charset

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        readings = (self.spell(tensor(crop)) for crop in crops)
        return [(reading.text, reading.score) for reading in readings]

    def spell(self, line: Tensor) -> Reading:
        """The reading of one line of (3, 48, width)."""
        return self.decode(self.network(padded(line)[None])[0])

    def decode(self, scores: NDArray[np.float32]) -> Reading:
        """Best path over scores of (columns, classes): best class of each, repeats made one, blanks dropped."""
        best = scores.argmax(axis=1)
        return collapse(best, scores[np.arange(len(best)), best], self._charset)


def collapse(best: NDArray[np.int64], scores: NDArray[np.float32], charset: Sequence[str]) -> Reading:
    """The reading of a path: the best class of each column and its score, both of (columns,)."""
    keep = best != 0
    keep[1:] &= best[1:] != best[:-1]
    columns = np.flatnonzero(keep)
    return Reading([charset[k] for k in best[columns]], scores[columns], columns)


def tensor(crop: Image) -> Tensor:
    """A crop as (3, 48, width) float32 in -1..1."""
    height, width = crop.shape[:2]
    wanted = min(max(math.ceil(HEIGHT * width / height), 1), MAX_WIDTH)
    scaled = cv2.resize(crop, (wanted, HEIGHT)).astype(np.float32)
    scaled *= 1 / 127.5
    scaled -= 1
    return scaled.transpose(2, 0, 1)


def padded(line: Tensor) -> Tensor:
    """The line with zeros to its right up to the least width, contiguous."""
    width = line.shape[2]
    if width >= MIN_WIDTH:
        return np.ascontiguousarray(line)
    out = np.zeros((3, HEIGHT, MIN_WIDTH), np.float32)
    out[:, :, :width] = line
    return out
