"""Reading many lines at once on a device that gains from it: buckets of fixed shapes instead of line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inkgate.engines.runtimes.interface import BestPath, Tensor
from inkgate.engines.text.buckets import LINES, plan, size
from inkgate.engines.text.pool import Pool
from inkgate.engines.text.recognise import HEIGHT, collapse, tensor
from inkgate.engines.types import Image


class BatchedRecogniser:
    """Reads as `Recogniser` does. Threads may share it: lines of all that wait go through the network together.

    `network` gives class and score of each column of a batch, both (n, columns). Batches are filled up with blank
    lines, so that each bucket has one shape. Scaling lines and spelling them out is done by the threads themselves.
    """

    def __init__(self, network: Callable[[Tensor], BestPath], charset: Sequence[str]) -> None:
        self._network = network
        self._charset = charset
        self._pooled = Pool(self._through)

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8), in their order, whatever pages they are from."""
        readings = (collapse(*path, self._charset) for path in self._pooled([tensor(crop) for crop in crops]))
        return [(reading.text, reading.score) for reading in readings]

    def _through(self, lines: list[Tensor]) -> list[BestPath]:
        """Best path of each line, in their order."""
        paths: dict[int, BestPath] = {}
        for batch in plan([line.shape[2] for line in lines]):
            stack = np.zeros((size(batch.width), 3, HEIGHT, batch.width), np.float32)
            for row, member in enumerate(batch.members):
                stack[row, :, :, : lines[member].shape[2]] = lines[member]
            classes, scores = self._network(stack)
            paths |= {member: (classes[row], scores[row]) for row, member in enumerate(batch.members)}
        return [paths[at] for at in range(len(lines))]

    def warmup(self) -> None:
        """Run every bucket once: each shape costs its first caller a search for algorithms."""
        for shape in LINES:
            self._network(np.zeros(shape, np.float32))
