"""Reading order: columns of prose before rows, rows from the top; vertical writing from the right.

Everything is measured along the page's own axes, found from the lines' direction, so that a tilted page reads as an
upright one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from inkgate.engines.types import Line

_VERTICAL_ASPECT = 1.5  # a line taller than this times its width is written downwards
_MIN_COLUMN_FILL = 0.6  # lines of prose fill at least this share of their column, as a median
_MIN_PROSE_ROWS = 4  # a column of prose has at least so many rows
_MIN_GUTTER_HEIGHTS = 0.5  # of the median line height: the least gap between columns


@dataclass(frozen=True, slots=True)
class _Box:
    """A line's extent along the page's axes."""

    line: Line
    left: float
    right: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """The lines of one upright page in the order in which they are read."""
    if len(lines) < 2:
        return list(lines)
    if _is_vertical_page(lines):
        return _vertical_columns(_boxes(lines, 0.0))
    return [box.line for box in _columns_then_rows(_boxes(lines, _tilt(lines)))]


def _columns_then_rows(boxes: list[_Box]) -> list[_Box]:
    """Rows, but where two columns of prose stand side by side, the left one whole before the right one."""
    gutter = _gutter(boxes)
    if gutter is None:
        return _rows(boxes)
    crossing = [box for box in boxes if box.left < gutter < box.right]
    ordered: list[_Box] = []
    above = -math.inf
    for cross in [*sorted(crossing, key=lambda box: box.middle), None]:
        below = cross.middle if cross else math.inf
        band = [box for box in boxes if box not in crossing and above < box.middle <= below]
        ordered += _rows([box for box in band if box.right <= gutter])
        ordered += _rows([box for box in band if box.left >= gutter])
        if cross:
            ordered.append(cross)
        above = below
    return ordered


def _gutter(boxes: list[_Box]) -> float | None:
    """The middle of the gap between two columns of prose, or None.

    In columns of prose, unlike tables and forms, the lines fill the column.
    """
    gap = _MIN_GUTTER_HEIGHTS * median(box.height for box in boxes)
    for box in sorted(boxes, key=lambda box: box.left):
        gutter = box.left - gap / 2
        left = [other for other in boxes if other.right <= gutter - gap / 2]
        right = [other for other in boxes if other.left >= gutter + gap / 2 - 1e-6]
        crossing = len(boxes) - len(left) - len(right)
        if (
            min(len(left), len(right)) >= _MIN_PROSE_ROWS
            and crossing <= len(boxes) / 4
            and _is_prose(left)
            and _is_prose(right)
        ):
            return gutter
    return None


def _is_prose(boxes: list[_Box]) -> bool:
    """Whether the lines fill the width they span, one to a row."""
    span = max(box.right for box in boxes) - min(box.left for box in boxes)
    return median(box.width for box in boxes) >= _MIN_COLUMN_FILL * span


def _rows(boxes: list[_Box]) -> list[_Box]:
    """Rows from the top, each from the left; a row's middles differ by less than half the lesser height."""
    rows: list[list[_Box]] = []
    for box in sorted(boxes, key=lambda box: box.middle):
        last = rows[-1][-1] if rows else None
        if last and abs(box.middle - last.middle) < 0.5 * min(box.height, last.height):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda box: box.left)]


def _vertical_columns(boxes: list[_Box]) -> list[Line]:
    """Columns from the right, each from the top; horizontal lines of a vertical page are ordered among them."""
    columns: list[list[_Box]] = []
    for box in sorted(boxes, key=lambda box: -(box.left + box.right)):
        last = columns[-1][-1] if columns else None
        apart = abs(box.left + box.right - last.left - last.right) / 2 if last else 0.0
        if last and apart < 0.5 * min(box.width, last.width):
            columns[-1].append(box)
        else:
            columns.append([box])
    return [box.line for column in columns for box in sorted(column, key=lambda box: box.top)]


def _boxes(lines: Sequence[Line], tilt: float) -> list[_Box]:
    """Extents in a frame turned by `tilt` radians; heights are across the line, not of its tilted hull."""
    cos, sin = math.cos(tilt), math.sin(tilt)
    boxes = []
    for line in lines:
        xs = [x * cos + y * sin for x, y in line.quad]
        ys = [y * cos - x * sin for x, y in line.quad]
        boxes.append(_Box(line, min(xs), max(xs), (ys[0] + ys[1]) / 2, (ys[2] + ys[3]) / 2))
    return boxes


def _tilt(lines: Sequence[Line]) -> float:
    """The median direction of lines long enough to show one, in radians."""
    angles = []
    for line in lines:
        (ax, ay), (bx, by) = line.quad[0], line.quad[1]
        if math.hypot(bx - ax, by - ay) >= 4 * math.hypot(line.quad[3][0] - ax, line.quad[3][1] - ay):
            angles.append(math.atan2(by - ay, bx - ax))
    return median(angles) if angles else 0.0


def _is_vertical_page(lines: Sequence[Line]) -> bool:
    """Whether most characters stand in tall lines."""
    tall = sum(len(line.text) for line in lines if _is_vertical(line))
    return tall > sum(len(line.text) for line in lines) / 2


def _is_vertical(line: Line) -> bool:
    (ax, ay), (bx, by), _, (dx, dy) = line.quad
    return math.hypot(dx - ax, dy - ay) >= _VERTICAL_ASPECT * math.hypot(bx - ax, by - ay)
