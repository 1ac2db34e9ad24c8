"""Flattened coordinates: rows of print become level even when the sheet is turned, tilted or curled.

Every text quadrilateral says how its row runs. A smooth field of slopes through them (least squares with outliers
damped) is followed from each line to one common vertical, which gives the row coordinate `v`; lines that disagree
with the field by more than a few degrees belong to something else (a stamp, a watermark laid across).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Quad

Floats = NDArray[np.float64]
_STEPS = 12


class Flat:
    """The slope field of one picture; built from all its quadrilaterals, empty lists allowed."""

    def __init__(self, quads: Sequence[Quad], straight: bool = False) -> None:
        """`straight`: one direction for the whole picture, for few quadrilaterals in one corner of it."""
        corners = np.asarray(quads, np.float64).reshape(-1, 4, 2)
        run = (corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3]) / 2
        side = (corners[:, 3] + corners[:, 2] - corners[:, 0] - corners[:, 1]) / 2
        length, height = np.hypot(*run.T), np.hypot(*side.T)
        usable = length > 1.5 * height  # short boxes have no reliable direction
        angles = np.arctan2(run[:, 1], run[:, 0])
        self.angle = _weighted_median(angles[usable], length[usable]) if usable.any() else 0.0
        self._cos, self._sin = math.cos(self.angle), math.sin(self.angle)
        centres = self._rotate(corners.mean(1))
        self._origin = centres.mean(0) if len(centres) else np.zeros(2)
        self._scale = max(1.0, float(np.abs(centres - self._origin).max())) if len(centres) else 1.0
        self._fit(centres[usable], np.tan(np.clip(angles[usable] - self.angle, -0.6, 0.6)), length[usable], straight)

    def _fit(self, centres: Floats, slopes: Floats, weights: Floats, straight: bool) -> None:
        near = np.abs(slopes) < 0.21
        centres, slopes, weights = centres[near], slopes[near], weights[near]
        terms = 1 if straight or len(slopes) < 4 else 3 if len(slopes) < 9 else 5
        self._field = np.zeros(5)
        if not len(slopes):
            return
        basis = self._basis(centres)[:, :terms]
        damp = np.ones(len(slopes))
        for _ in range(6):
            w = np.sqrt(weights * damp)[:, None]
            # A little ridge keeps the bends small where few lines carry them.
            ridge = np.diag([0.0, 0.05, 0.05, 0.2, 0.2][:terms]) * math.sqrt(float(weights.sum()) / 10)
            matrix = np.vstack([basis * w, ridge])
            solution, *_ = np.linalg.lstsq(matrix, np.concatenate([slopes * w[:, 0], np.zeros(terms)]), rcond=None)
            residual = np.abs(basis @ solution - slopes)
            damp = 1 / (1 + (residual / 0.02) ** 2)
        self._field[:terms] = solution

    def _rotate(self, points: Floats) -> Floats:
        x, y = points[..., 0], points[..., 1]
        return np.stack([x * self._cos + y * self._sin, y * self._cos - x * self._sin], -1)

    def _basis(self, points: Floats) -> Floats:
        x, y = ((points - self._origin) / self._scale).T
        return np.stack([np.ones_like(x), x, y, x * y, x * x], -1)

    def slope(self, points: Floats) -> Floats:
        """Slope of the rows at points already rotated by the page angle."""
        return np.asarray(self._basis(points) @ self._field)

    def level(self, points: Floats) -> Floats:
        """Picture points of shape (n, 2) as flat (u, v): along the rows, and across them."""
        at = self._rotate(np.asarray(points, np.float64))
        u = at[:, 0].copy()
        step = (self._origin[0] - u) / _STEPS
        for _ in range(_STEPS):
            at[:, 1] += self.slope(at) * step
            at[:, 0] += step
        return np.stack([u, at[:, 1]], -1)

    def locate(self, points: Floats) -> Floats:
        """Flat (u, v) of shape (n, 2) back to picture points; the inverse of `level`."""
        points = np.asarray(points, np.float64)
        at = np.stack([np.full(len(points), self._origin[0]), points[:, 1]], -1)
        step = (points[:, 0] - self._origin[0]) / _STEPS
        for _ in range(_STEPS):
            at[:, 1] += self.slope(at) * step
            at[:, 0] += step
        x, y = at.T
        return np.stack([x * self._cos - y * self._sin, y * self._cos + x * self._sin], -1)

    def deviation(self, quad: Quad) -> float:
        """Degrees between a quadrilateral's own direction and the field where it lies."""
        corners = np.asarray(quad)
        run = (corners[1] + corners[2] - corners[0] - corners[3]) / 2
        here = self._rotate(corners.mean(0)[None])
        own = math.atan2(run[1], run[0]) - self.angle - math.atan(float(self.slope(here)[0]))
        return math.degrees((own + math.pi) % (2 * math.pi) - math.pi)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
