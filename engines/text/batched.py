"""Reading many lines at once on a device that gains from it: buckets of fixed shapes instead of line by line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.text.buckets import WIDTHS, plan, size
from engines.text.recognise import HEIGHT, Recogniser, tensor
from engines.types import Image


class BatchedRecogniser:
    """Reads as `Recogniser` does. Batches are filled up with blank lines, so that each bucket has one shape."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8), in their order, whatever pages they are from."""
        lines = [tensor(crop) for crop in crops]
        readings = [("", 0.0)] * len(lines)
        for batch in plan([line.shape[2] for line in lines]):
            stack = np.zeros((size(batch.width), 3, HEIGHT, batch.width), np.float32)
            for row, member in enumerate(batch.members):
                stack[row, :, :, : lines[member].shape[2]] = lines[member]
            scores = self._recogniser.network(stack)
            for row, member in enumerate(batch.members):
                reading = self._recogniser.decode(scores[row])
                readings[member] = (reading.text, reading.score)
        return readings

    def warmup(self) -> None:
        """Run every bucket once: each shape costs its first caller a search for algorithms."""
        for width in WIDTHS:
            self._recogniser.network(np.zeros((size(width), 3, HEIGHT, width), np.float32))
