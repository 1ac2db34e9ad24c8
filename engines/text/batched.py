"""Batched recognition of lines in buckets of fixed shapes, for GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inkgate.engines.runtimes.interface import GreedyPath, Tensor
from inkgate.engines.text.buckets import BUCKET_SHAPES, plan_batches, rows_per_batch
from inkgate.engines.text.pool import BatchingPool
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, ctc_collapse, to_tensor
from inkgate.engines.types import Image


class BatchedRecogniser:
    """A `Recogniser` for GPUs. Thread-safe: the lines of all waiting threads form common batches.

    `network` returns the most likely class and its probability for each column of a batch, both (n, columns). Batches
    are padded with blank lines, so that each bucket has one shape. Resizing and decoding run in the calling threads.
    """

    def __init__(self, network: Callable[[Tensor], GreedyPath], charset: Sequence[str]) -> None:
        self._network = network
        self._charset = charset
        self._pooled = BatchingPool(self._run_batches)

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8), in input order, whatever pages they are from."""
        readings = (ctc_collapse(*path, self._charset) for path in self._pooled([to_tensor(crop) for crop in crops]))
        return [(reading.text, reading.score) for reading in readings]

    def _run_batches(self, lines: list[Tensor]) -> list[GreedyPath]:
        """Greedy CTC path of each line, in input order."""
        paths: dict[int, GreedyPath] = {}
        for batch in plan_batches([line.shape[2] for line in lines]):
            stack = np.zeros((rows_per_batch(batch.width), 3, LINE_HEIGHT_PIXELS, batch.width), np.float32)
            for row, member in enumerate(batch.members):
                stack[row, :, :, : lines[member].shape[2]] = lines[member]
            classes, scores = self._network(stack)
            paths |= {member: (classes[row], scores[row]) for row, member in enumerate(batch.members)}
        return [paths[at] for at in range(len(lines))]

    def warmup(self) -> None:
        """Run every bucket once: the first run of a shape includes the search for a convolution algorithm."""
        for shape in BUCKET_SHAPES:
            self._network(np.zeros(shape, np.float32))
