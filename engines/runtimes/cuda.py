"""Chooses cuDNN's algorithm search mode by timing, when an engine is opened.

Which way is the quickest depends on the card, on the versions of cuDNN and of ONNX Runtime, and on whether shapes are
few or many; reports contradict each other by factors of a thousand. So every way is tried on the shapes that will come.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from inkgate.engines.runtimes.interface import Shape, Tensor

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=Callable[[Tensor], object])

SEARCHES = ("HEURISTIC", "DEFAULT", "EXHAUSTIVE")  # what ONNX Runtime's CUDA provider calls them
_REPEATS = 3
_MAX_TIMING_SECONDS = 20.0  # seconds after which a way is given up: a worker has to become ready


def open_with_fastest_search(
    open_network: Callable[[str], Network],
    shapes: Sequence[Shape],
    *,
    warmed: bool,
    clock: Callable[[], float] = time.perf_counter,
) -> Network:
    """The network opened with the way of search that runs all `shapes` in the least time.

    `warmed` says that each shape will have been run before images come (buckets): its first run does not count.
    Otherwise (pages) it counts, as every new page may bring a new shape. A way is given up between two shapes when it
    is slower than the best one so far, or takes 20 seconds.
    """
    best = open_network(SEARCHES[0])
    best(np.zeros(shapes[0], np.float32))  # starts CUDA, which must not be charged to the first way
    best_time, chosen = float("inf"), SEARCHES[0]
    for search in SEARCHES:
        network = open_network(search)
        taken = _time_shapes(network, shapes, warmed, best_time, clock)
        if taken < best_time:
            best, best_time, chosen = network, taken, search
    log.info("cuDNN searches by %s: %.1f ms for %d shapes", chosen, 1000 * best_time, len(shapes))
    return best


def _time_shapes(
    network: Callable[[Tensor], object],
    shapes: Sequence[Shape],
    warmed: bool,
    bound: float,
    clock: Callable[[], float],
) -> float:
    """Seconds for all shapes; infinite once they pass `bound`, or all runs together 20 s."""
    counted, spent = 0.0, 0.0
    for shape in shapes:
        batch = np.zeros(shape, np.float32)
        for number in range(_REPEATS):
            begun = clock()
            network(batch)
            took = clock() - begun
            spent += took
            counted += took if number or not warmed else 0.0
        if counted > bound or spent > _MAX_TIMING_SECONDS:
            return float("inf")
    return counted
