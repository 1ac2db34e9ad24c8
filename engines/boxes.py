"""Quadrilaterals as arrays: conversion, overlap of bounding boxes, suppression of duplicates.

Corners are float arrays of shape (4, 2), or (n, 4, 2) for several, in pixels of one image; the order of the four does
not matter here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Quad

_LEAST_AREA = 1e-6  # square pixels: a degenerate box divides by this instead of by 0


def as_quad(corners: Iterable[Iterable[float]]) -> Quad:
    """Four (x, y) corners as a quadrilateral of Python floats, in the order given. Raises ValueError for another
    number of corners or coordinates."""
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d


def shared_bounds(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Areas (n, n) in square pixels that the bounding boxes of `corners` (n, 4, 2) share pairwise."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    return np.asarray(sides.clip(0).prod(axis=2), corners.dtype)


def overlaps(corners: NDArray[np.float32]) -> NDArray[np.float64]:
    """Pairwise overlap of the bounding boxes of `corners` (n, 4, 2): (n, n), shared area over the area of the smaller
    box, 0..1."""
    areas = np.ptp(corners, axis=1).prod(axis=1).astype(np.float64)
    least = np.maximum(np.minimum(areas[:, None], areas), _LEAST_AREA)
    return np.asarray(shared_bounds(corners).astype(np.float64) / least, np.float64)


def suppress(scores: Sequence[float] | NDArray[np.float32], covered: NDArray[np.bool_], *, chained: bool) -> list[int]:
    """Non-maximum suppression: indices of the boxes kept, the highest of `scores` (n,) first, ties in input order.

    `covered[i, j]` (n, n) says that i is a duplicate of j if j has the better score. `chained` says whether what was
    itself suppressed still suppresses others (it lies within the better one, and so do they), or only what is kept
    (greedy non-maximum suppression).
    """
    ranked = sorted(range(len(scores)), key=lambda at: -float(scores[at]))
    suspects = np.any(covered, axis=1).tolist()  # few overlap; the rest skip the comparison
    kept: list[int] = []
    for place, at in enumerate(ranked):
        if not (suspects[at] and covered[at, ranked[:place] if chained else kept].any()):
            kept.append(at)
    return kept
