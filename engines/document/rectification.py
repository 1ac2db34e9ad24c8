"""Rectified coordinates: rows are horizontal even when the sheet is rotated, tilted or curled.

Every text quadrilateral gives the direction of its row. A smooth field of slopes is fitted to them (least squares with
outliers damped) and integrated from each line to one common vertical, which gives the row coordinate `v`. Lines that
deviate from the field by more than a few degrees do not belong to the document (a stamp, an oblique watermark).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.types import Quad

Floats = NDArray[np.float64]
_INTEGRATION_STEPS = 12  # steps of the integration along a row
_LONG = 1.5  # heights: shorter boxes have no reliable direction
_STEEPEST = 0.6  # radians: angles to the page's direction are clipped to this
_NEAR = 0.21  # slope (12 degrees): steeper lines are left out of the fit
_TERMS = ((4, 1), (9, 3))  # for fewer lines than the first number, so many terms of the field; for more, all five
_ALL_TERMS = 5
_ROUNDS = 6  # of iteratively reweighted least squares
_OUTLIER = 0.02  # slope (1 degree): a line with this residual has half the weight
_RIDGE = (0.0, 0.05, 0.05, 0.2, 0.2)  # regularises the curvature where there are few lines


class RectificationField:
    """The slope field of one image; built from all its quadrilaterals, empty lists allowed."""

    def __init__(self, quads: Sequence[Quad], straight: bool = False) -> None:
        """`straight`: one direction for the whole image, for few quadrilaterals in one corner of it."""
        corners = np.asarray(quads, np.float64).reshape(-1, 4, 2)
        run = (corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3]) / 2
        side = (corners[:, 3] + corners[:, 2] - corners[:, 0] - corners[:, 1]) / 2
        length, height = np.hypot(*run.T), np.hypot(*side.T)
        usable = length > _LONG * height
        angles = np.arctan2(run[:, 1], run[:, 0])
        self.angle = _weighted_median(angles[usable], length[usable]) if usable.any() else 0.0
        self._cos, self._sin = math.cos(self.angle), math.sin(self.angle)
        centres = self._rotate(corners.mean(1))
        self._origin = centres.mean(0) if len(centres) else np.zeros(2)
        self._scale = max(1.0, float(np.abs(centres - self._origin).max())) if len(centres) else 1.0
        off = np.clip(angles[usable] - self.angle, -_STEEPEST, _STEEPEST)
        self._fit(centres[usable], np.tan(off), length[usable], straight)

    def _fit(self, centres: Floats, slopes: Floats, weights: Floats, straight: bool) -> None:
        near = np.abs(slopes) < _NEAR
        centres, slopes, weights = centres[near], slopes[near], weights[near]
        terms = 1 if straight else next((terms for lines, terms in _TERMS if len(slopes) < lines), _ALL_TERMS)
        self._field = np.zeros(_ALL_TERMS)
        if not len(slopes):
            return
        basis = self._basis(centres)[:, :terms]
        cauchy_weights = np.ones(len(slopes))
        for _ in range(_ROUNDS):
            w = np.sqrt(weights * cauchy_weights)[:, None]
            ridge = np.diag(_RIDGE[:terms]) * math.sqrt(float(weights.sum()) / 10)
            matrix = np.vstack([basis * w, ridge])
            solution, *_ = np.linalg.lstsq(matrix, np.concatenate([slopes * w[:, 0], np.zeros(terms)]), rcond=None)
            residual = np.abs(basis @ solution - slopes)
            cauchy_weights = 1 / (1 + (residual / _OUTLIER) ** 2)
        self._field[:terms] = solution

    def _rotate(self, points: Floats) -> Floats:
        x, y = points[..., 0], points[..., 1]
        return np.stack([x * self._cos + y * self._sin, y * self._cos - x * self._sin], -1)

    def _basis(self, points: Floats) -> Floats:
        x, y = ((points - self._origin) / self._scale).T
        return np.stack([np.ones_like(x), x, y, x * y, x * x], -1)

    def slope(self, points: Floats) -> Floats:
        """Slopes (n,) of the rows at points (n, 2) already rotated by the page angle: pixels across per pixel along."""
        return np.asarray(self._basis(points) @ self._field)

    def to_rectified(self, points: Floats) -> Floats:
        """Image points (n, 2) in pixels as rectified (u, v), float64 of shape (n, 2): along and across the rows."""
        at = self._rotate(np.asarray(points, np.float64))
        u = at[:, 0].copy()
        step = (self._origin[0] - u) / _INTEGRATION_STEPS
        for _ in range(_INTEGRATION_STEPS):
            at[:, 1] += self.slope(at) * step
            at[:, 0] += step
        return np.stack([u, at[:, 1]], -1)

    def to_image(self, points: Floats) -> Floats:
        """Rectified (u, v) of shape (n, 2) back to image points in pixels, float64; the inverse of `to_rectified`."""
        points = np.asarray(points, np.float64)
        at = np.stack([np.full(len(points), self._origin[0]), points[:, 1]], -1)
        step = (points[:, 0] - self._origin[0]) / _INTEGRATION_STEPS
        for _ in range(_INTEGRATION_STEPS):
            at[:, 1] += self.slope(at) * step
            at[:, 0] += step
        x, y = at.T
        return np.stack([x * self._cos - y * self._sin, y * self._cos + x * self._sin], -1)

    def angle_to_rows(self, quad: Quad) -> float:
        """Degrees in -180..180 from the direction of the field to that of a quadrilateral, clockwise positive."""
        corners = np.asarray(quad)
        run = (corners[1] + corners[2] - corners[0] - corners[3]) / 2
        here = self._rotate(corners.mean(0)[None])
        own = math.atan2(run[1], run[0]) - self.angle - math.atan(float(self.slope(here)[0]))
        return math.degrees((own + math.pi) % (2 * math.pi) - math.pi)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
