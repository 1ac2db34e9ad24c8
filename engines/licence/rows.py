"""The rows of text that form the value of a label, by position.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in heights of the
column's labels unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.licence.columns import LabelColumn

Row = tuple[TextSegment, ...]
Rows = tuple[Row, ...]

MIN_ROW_STEP = 0.8  # between the centres of two label rows; closer labels are on one row

# The left edge of the value column.
_ON_LABEL_ROW = 0.6  # between the centres of a value and of its label, less than
_INTO_COLUMN = 0.8  # left of the label column's right edge, at most
_MOST_INDENT = 7.0  # right of the label column's right edge, less than
_BEFORE_NEXT = 1.0  # left of the next column, at least

# Segments of a value.
_LEAST_LENGTH = 1.0  # from the value column to the right edge of a segment, at least
_OFF_NEXT_COLUMN = 0.5  # from its left edge to the next column, at least
_MIN_HEIGHT = 0.55  # of a segment over that of the labels
_MAX_HEIGHT, _MAX_HEIGHT_ON_ROW = 1.6, 1.9  # the second for segments on the label's row, with
_CLEARLY_ON_ROW = 0.5  # between the centres, less than
_ABOVE_LABEL = 0.6  # the label's centre, at most
_OVER_FLOOR = 0.55  # above the next label's centre, at least
_OVER_LABEL_END = 0.5  # of a value and its own label, at most

# The first row, and further rows below it.
_SAME_ROW = 0.62  # between centres on the label's row; of the larger of the label's and the segment's height
_ROW_GAP, _LOWER_ROW_GAP = 2.5, 2.0  # heights of the segment: a wider gap ends the first row, and a lower one
_FAR = 8.0  # right of the value column: left edge of the first row, at most
_NEXT_ROW, _NEXT_ROW_OF_PERIOD = 1.6, 3.2  # from one row of a value to the next, at most
_NEARER = 0.85  # share of the least label step: rows of one value are closer than rows of the form
_ALIGNED, _ALIGNED_LOOSELY = 2.5, 5.0  # between left edges; the second where the value column is unknown
_ONE_ROW = 0.5  # between the centres of segments of one lower row

# Values of header labels, outside the columns; in heights of the label.
_HEADER_REACH = 8.0  # from the label to its value, and between segments of the value
_BESIDE = 0.7  # between the centres of the label and of a value on its row; below it, more
_BEYOND_HEADER = 1.0  # from the label to the right edge of a value on its row, at least
_BELOW = 2.4  # from the label down to a value below it, less than
_MIN_DIGITS = 6  # of a header value


@dataclass(frozen=True, slots=True)
class ValueRegion:
    """The region of the value of `label` in `column`: from `left` (None if unknown) to the next column at `edge`, and
    above the next label at `floor`; in pixels, infinite where there is no bound."""

    label: TextSegment
    column: LabelColumn
    left: float | None
    edge: float
    floor: float


def value_column_left(column: LabelColumn, edge: float, segments: Iterable[TextSegment]) -> float | None:
    """Left edge of the values of a column, in pixels: the median over values detected apart from their labels."""
    h = column.h
    least, most = column.right - _INTO_COLUMN * h, min(column.right + _MOST_INDENT * h, edge - _BEFORE_NEXT * h)
    lefts = [
        p.u0
        for p in segments
        if p.key is None and p.start == 0 and least < p.u0 < most
        if any(abs(p.v - label.v) < _ON_LABEL_ROW * h for label in column.labels)
    ]
    return float(np.median(lefts)) if lefts else None


def value_rows(region: ValueRegion, segments: Iterable[TextSegment]) -> Rows:
    """The segments of a value by rows: the label's row, then the rows below it. Empty for none."""
    label, h = region.label, region.column.h
    start = max(label.u1, region.column.right) - _INTO_COLUMN * h
    candidates = sorted((p for p in segments if _may_belong(p, region, start)), key=lambda p: (p.v, p.u0))
    first = run([p for p in candidates if abs(p.v - label.v) < _SAME_ROW * max(h, p.h)], _ROW_GAP)
    if not first or first[0].u0 > (region.left or start) + _FAR * h:
        return ()
    return _with_lower_rows(first, candidates, region, start)


def _may_belong(segment: TextSegment, region: ValueRegion, start: float) -> bool:
    """Whether a segment has the position and the height of a part of the value."""
    label, h = region.label, region.column.h
    most = _MAX_HEIGHT_ON_ROW if abs(segment.v - label.v) < _CLEARLY_ON_ROW * h else _MAX_HEIGHT
    return (
        segment.key is None
        and segment.u1 > start + _LEAST_LENGTH * h
        and segment.u0 < region.edge - _OFF_NEXT_COLUMN * h
        and _MIN_HEIGHT < segment.h / h < most
        and label.v - _ABOVE_LABEL * h < segment.v < region.floor - _OVER_FLOOR * h
        and (
            segment.u0 > start
            or (segment.strip is label.strip and segment.start >= label.end)
            or segment.u0 >= label.u1 - _OVER_LABEL_END * h
        )
    )


def _with_lower_rows(first: Row, candidates: Sequence[TextSegment], region: ValueRegion, start: float) -> Rows:
    """The first row, and the rows that follow closely below it with the same left edge."""
    h = region.column.h
    begin = region.left if region.left is not None else first[0].u0
    aligned = (_ALIGNED if region.left is not None else _ALIGNED_LOOSELY) * h
    nearer = _NEARER * min(label_steps(region.column), default=float("inf"))
    rows = [first]
    for segment in candidates:
        above = rows[-1][0]
        down = segment.v - above.v
        if down < _SAME_ROW * h or any(segment is p for row in rows for p in row):
            continue
        of_period = segment.text.startswith("至") or above.text.endswith("至") or above.text.startswith("自")
        if down > (_NEXT_ROW_OF_PERIOD * h if of_period else min(_NEXT_ROW * max(h, above.h), nearer)):
            break
        if segment.u0 < start or abs(segment.u0 - begin) > aligned:
            continue
        beside = [p for p in candidates if abs(p.v - segment.v) < _ONE_ROW * h and p.u0 >= segment.u0]
        rows.append(run(beside, _LOWER_ROW_GAP))
    return tuple(rows)


def label_steps(column: LabelColumn) -> list[float]:
    """Pixels from each label row of a column down to the next one."""
    labels = column.labels
    steps = [below.v - above.v for above, below in pairwise(labels)]
    return [step for step in steps if step > MIN_ROW_STEP * column.h]


def header_value(label: TextSegment, segments: Iterable[TextSegment]) -> Rows:
    """The value right of a header label, or below it: one row with enough digits, or empty."""
    h = label.h
    values = [p for p in segments if p.key is None and p.u1 > label.u0 and p.u0 < label.u1 + _HEADER_REACH * h]
    beside = [p for p in values if abs(p.v - label.v) < _BESIDE * h and p.u1 > label.u1 + _BEYOND_HEADER * h]
    below = [p for p in values if _BESIDE * h < p.v - label.v < _BELOW * h and p.u0 < label.u1]
    rows = (run(row, _HEADER_REACH) for row in (beside, below))
    return next(((row,) for row in rows if sum(c.isdigit() for p in row for c in p.text) >= _MIN_DIGITS), ())


def run(row: Sequence[TextSegment], gap: float) -> Row:
    """The segments of a row from left to right up to the first gap wider than `gap` heights of the lower neighbour."""
    out: list[TextSegment] = []
    for segment in sorted(row, key=lambda p: p.u0):
        if out and segment.u0 - out[-1].u1 > gap * min(segment.h, out[-1].h):
            break
        out.append(segment)
    return tuple(out)


def text_of(rows: Rows) -> str:
    """The texts of a value's segments, rows joined."""
    return "".join(p.text for row in rows for p in row)
