"""Outlines of the characters of a line, for what their proportions tell and the networks' probabilities do not."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inkgate.engines.runtimes.interface import Tensor

_MIN_HEIGHT_SHARE = 0.2  # of the line: less is a stop, or dirt
_REACH_COLUMNS = 1.5  # from a character's own column to the middle of its outline
_MARGIN_COLUMNS = 3  # either side of the characters asked for: half an O
_INK_SHARE = 0.5  # of the range of grey levels, which parts ink from paper


@dataclass(frozen=True, slots=True)
class Outline:
    """Middle of a connected piece of ink in columns of the network, width and height in pixels of the line."""

    middle: float
    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.width / self.height


def outlines(line: Tensor, first: int, last: int, stride: int) -> list[Outline]:
    """The outlines from column `first` to `last` of `line` (3, height, width), one column per `stride` pixels."""
    left = max((first - _MARGIN_COLUMNS) * stride, 0)
    window = line[0, :, left : (last + _MARGIN_COLUMNS + 1) * stride]
    if not window.size:
        return []
    low, high = float(window.min()), float(window.max())
    dark = window < low + _INK_SHARE * (high - low)
    ink = dark if dark.mean() < 0.5 else ~dark  # light print on a dark background
    _, _, found, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    return [
        Outline((left + x + width / 2) / stride - 0.5, width, height)
        for x, _, width, height, _ in found[1:].tolist()
        if height >= _MIN_HEIGHT_SHARE * len(window) and x > 0 and x + width < window.shape[1]
    ]


def outline_at(found: list[Outline], column: float) -> Outline | None:
    """The outline of the character at a column, None where it has none of its own."""
    nearest = min(found, key=lambda each: abs(each.middle - column), default=None)
    return nearest if nearest is not None and abs(nearest.middle - column) <= _REACH_COLUMNS else None
