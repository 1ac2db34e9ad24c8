"""Lines below red seals: read again in the image without red ink, and taken where that reading is as good.

A seal's ring and letters split the lines that they cross, and are read as part of them. Print in red is left as it is:
without red ink nothing is found in its place, so the first reading stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Line, Quad

_MIN_SHARED = 0.5  # of the smaller quadrilateral's area, from which two are of one line
_SCORE_MARGIN = 0.05  # mean scores nearer than this count as equal
_MIN_HIDDEN_SCORE = 0.9
_MIN_LENGTH_SHARE = 0.75  # of the characters of the first reading that the one without red ink has at least


def touches(quad: Quad, seals: NDArray[np.float32]) -> bool:
    """Whether the bounding box of a quadrilateral meets any of `seals` (n, 4): left, top, right, bottom."""
    corners = np.asarray(quad, np.float32)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(((seals[:, :2] < high) & (seals[:, 2:] > low)).all(axis=1).any())


def merge(lines: Sequence[Line], cleaned: Sequence[Line]) -> list[Line]:
    """`lines`, each group that a line of `cleaned` covers replaced by it unless that reads worse, and new ones added.

    Both are of one image; `cleaned` was read without red ink. A line that only `cleaned` has was hidden by the
    seal; it counts from `_MIN_HIDDEN_SCORE` on.
    """
    kept = list(lines)
    for line in sorted(cleaned, key=lambda line: -len(line.text)):
        covered = [other for other in kept if _is_same(line.quad, other.quad)]
        if _is_worse(line, covered) if covered else line.score < _MIN_HIDDEN_SCORE:
            continue
        kept = [other for other in kept if other not in covered]
        kept.append(line)
    return kept


def _is_worse(line: Line, covered: Sequence[Line]) -> bool:
    characters = sum(len(other.text) for other in covered)
    score = sum(other.score * len(other.text) for other in covered) / max(characters, 1)
    if len(line.text) < _MIN_LENGTH_SHARE * characters:  # characters of the seal may be gone, or some of the line
        return line.score < score + _SCORE_MARGIN
    return line.score < score - _SCORE_MARGIN


def _is_same(first: Quad, second: Quad) -> bool:
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    shared, _ = cv2.intersectConvexConvex(a, b)
    return bool(shared >= _MIN_SHARED * min(cv2.contourArea(a), cv2.contourArea(b)))
