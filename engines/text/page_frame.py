"""Coordinates along the rows of a page: lines of one row have one vertical coordinate, however the camera saw it.

Parallel rows seen in perspective meet in one point. Such a pencil of lines has two parameters: the slope of the row
that crosses the page's centre line at height r is p + q r. They are fitted to the slopes of the lines, weighted by
length (iteratively reweighted least squares with Huber's weights).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.text.crop import VERTICAL_ASPECT
from inkgate.engines.types import Line, Point

_MIN_SLOPE_ASPECT = 1.5  # shorter lines, in their heights, show no direction
_LONG_ASPECT = 4  # from here on a line alone shows the tilt of the page
_MIN_LINES = 8  # lines with a direction from which the convergence of rows is estimated
_ITERATIONS = 8
_HUBER_SLOPE = 0.02  # residual slope beyond which a line counts less
_MIN_SIGNIFICANCE = 3.0  # standard errors by which q must differ from 0
_MAX_SCALE_CHANGE = 0.6  # of r across the page, a bound against wild fits


@dataclass(frozen=True, slots=True)
class Box:
    """A line's extent in the page's coordinates, pixels: left and right along the rows, top and bottom across them."""

    line: Line
    left: float
    right: float
    top: float
    bottom: float
    shear: float = 0.0

    @property
    def middle(self) -> float:
        """The centre across the rows."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        """The extent across the rows."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """The extent along the rows."""
        return self.right - self.left

    def sheared(self, shear: float) -> Box:
        """The box moved along the rows by `shear` times its middle, from where it was before any shear."""
        shift = (shear - self.shear) * self.middle
        return replace(self, left=self.left - shift, right=self.right - shift, shear=shear)

    def unsheared(self) -> Box:
        """The box where it was before `sheared`."""
        return self.sheared(0.0)


@dataclass(frozen=True, slots=True)
class _Pencil:
    """Rows y - centre_y = r + (x - centre_x) * (slope + convergence * r): `slope` is that in the page's middle."""

    centre_x: float
    centre_y: float
    slope: float
    convergence: float

    def height(self, x: float, y: float) -> float:
        """r of the row through a point."""
        away = x - self.centre_x
        return (y - self.centre_y - away * self.slope) / (1 + away * self.convergence)


def direction(line: Line) -> float:
    """The angle in radians, -pi..pi, from the first to the second corner: clockwise in image coordinates."""
    (ax, ay), (bx, by) = line.quad[0], line.quad[1]
    return math.atan2(by - ay, bx - ax)


def is_vertical(line: Line) -> bool:
    """Whether the quadrilateral is tall: vertical writing, or a line that reads downwards."""
    (ax, ay), (bx, by), _, (dx, dy) = line.quad
    return math.hypot(dx - ax, dy - ay) >= VERTICAL_ASPECT * math.hypot(bx - ax, by - ay)


def boxes_of(lines: Sequence[Line], *, level: bool = False) -> list[Box]:
    """Extents of the lines along and across the page's rows; `level` takes the image's own axes."""
    pencil = _Pencil(0.0, 0.0, 0.0, 0.0) if level else _fit(lines)
    tilt = math.atan(pencil.slope)
    return [_box(line, pencil, tilt) for line in lines]


def _box(line: Line, pencil: _Pencil, tilt: float) -> Box:
    cos, sin = math.cos(tilt), math.sin(tilt)
    along = [x * cos + y * sin for x, y in line.quad]
    across = [pencil.height(x, y) * cos for x, y in line.quad]
    if abs(direction(line) - tilt) < math.pi / 4:
        return Box(line, min(along), max(along), (across[0] + across[1]) / 2, (across[2] + across[3]) / 2)
    return Box(line, min(along), max(along), min(across), max(across))


def _fit(lines: Sequence[Line]) -> _Pencil:
    """The pencil of the rows; parallel rows where the slopes show no convergence."""
    parallel = math.tan(_tilt(lines))
    rows = [_measure(line) for line in lines if _shows_direction(line)]
    xs = [x for line in lines for x, _ in line.quad]
    ys = [y for line in lines for _, y in line.quad]
    centre_x, centre_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    level = _Pencil(centre_x, centre_y, parallel, 0.0)
    if len(rows) < _MIN_LINES:
        return level
    x, y, slope, length = np.array(rows, np.float64).T
    x, y = x - centre_x, y - centre_y
    p, q, error = parallel, 0.0, math.inf
    for _ in range(_ITERATIONS):
        height = (y - x * p) / (1 + x * q)
        residual = slope - p - q * height
        weight = length**2 * np.minimum(1.0, _HUBER_SLOPE / np.maximum(np.abs(residual), 1e-9))
        p, q, error = _weighted_line(height, slope, weight)
        if abs(q) * (max(xs) - min(xs)) > _MAX_SCALE_CHANGE:
            return level
    if abs(q) < _MIN_SIGNIFICANCE * error:
        return level
    return _Pencil(centre_x, centre_y, p, q)


def _weighted_line(
    at: NDArray[np.float64], value: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Offset and slope of the weighted least-squares line, and the slope's standard error."""
    total = weight.sum()
    mean, level = (weight * at).sum() / total, (weight * value).sum() / total
    spread = (weight * (at - mean) ** 2).sum()
    if spread < 1e-9:
        return level, 0.0, math.inf
    slope = (weight * (at - mean) * (value - level)).sum() / spread
    residual = value - level - slope * (at - mean)
    variance = (weight * residual**2).sum() / total / max(len(at) - 2, 1) * len(at)
    return float(level - slope * mean), float(slope), math.sqrt(variance * total / spread / len(at))


def _measure(line: Line) -> tuple[float, float, float, float]:
    """Centre x and y, slope dy/dx, and length of a line's middle axis."""
    (ax, ay), (bx, by) = _ends(line)
    return (ax + bx) / 2, (ay + by) / 2, (by - ay) / (bx - ax), math.hypot(bx - ax, by - ay)


def _ends(line: Line) -> tuple[Point, Point]:
    a, b, c, d = line.quad
    return ((a[0] + d[0]) / 2, (a[1] + d[1]) / 2), ((b[0] + c[0]) / 2, (b[1] + c[1]) / 2)


def _shows_direction(line: Line, aspect: float = _MIN_SLOPE_ASPECT) -> bool:
    (ax, ay), (bx, by) = line.quad[0], line.quad[1]
    height = math.hypot(line.quad[3][0] - ax, line.quad[3][1] - ay)
    return math.hypot(bx - ax, by - ay) >= aspect * height and abs(direction(line)) < math.pi / 4


def _tilt(lines: Sequence[Line]) -> float:
    """The median direction of lines long enough to show one, in radians."""
    angles = [direction(line) for line in lines if _shows_direction(line, _LONG_ASPECT)]
    return median(angles) if angles else 0.0
