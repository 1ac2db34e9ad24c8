"""The rows of print that make the value of a label, by where they stand.

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

MIN_ROW_STEP = 0.8  # between the centres of two label rows; what is nearer is one row

# Where values begin.
_ON_LABEL_ROW = 0.6  # between the centres of a value and of its label, less than
_INTO_COLUMN = 0.8  # a value may begin so far left of the column's right edge
_MOST_INDENT = 7.0  # and must begin less far than this right of it to tell where values begin
_BEFORE_NEXT = 1.0  # and so far left of the next column

# What may belong to a value.
_LEAST_LENGTH = 1.0  # a value ends at least so far right of where values begin
_OFF_NEXT_COLUMN = 0.5  # and begins so far left of the next column
_LEAST_HEIGHT = 0.55  # of print over that of the labels
_MOST_HEIGHT, _MOST_HEIGHT_ON_ROW = 1.6, 1.9  # the second where it clearly stands on the label's row:
_CLEARLY_ON_ROW = 0.5  # between the centres, less than
_ABOVE_LABEL = 0.6  # a value's centre lies no further above its label's
_OVER_FLOOR = 0.55  # and at least so far above the next label's
_OVER_LABEL_END = 0.5  # by which a value may begin left of its own label's end

# The first row, and those below it.
_SAME_ROW = 0.62  # between centres on the label's row; of the larger of the label's and the piece's height
_ROW_GAP, _LOWER_ROW_GAP = 2.5, 2.0  # heights of the piece: a wider gap ends the first row, and a lower one
_FAR = 8.0  # a first row that begins further right of where values begin is none
_NEXT_ROW, _NEXT_ROW_OF_PERIOD = 1.6, 3.2  # from one row of a value to the next, at most
_NEARER = 0.85  # share of the least step between labels: rows of one value stand closer than rows of the form
_ALIGNED, _ALIGNED_LOOSELY = 2.5, 5.0  # rows begin below each other; loosely if only one row shows the place
_ONE_ROW = 0.5  # between the centres of pieces of one lower row

# Values of headers, which stand by themselves; in heights of the header.
_HEADER_REACH = 8.0  # from the header's end to where its value begins, and between the value's pieces
_BESIDE = 0.7  # between the centres of a header and of a value on its row; a value below lies further down
_BEYOND_HEADER = 1.0  # a value on its row ends at least so far right of it
_BELOW = 2.4  # from the header down to a value below it, less than
_LEAST_DIGITS = 6  # of a header's value


@dataclass(frozen=True, slots=True)
class ValueRegion:
    """Where the value of `label` stands: in `column`, from `left` (None if unknown) to the next column at
    `edge`, and above the next label at `floor`; pixels, infinite where nothing ends it."""

    label: TextSegment
    column: LabelColumn
    left: float | None
    edge: float
    floor: float


def value_column_left(column: LabelColumn, edge: float, pieces: Iterable[TextSegment]) -> float | None:
    """Where the values of a column begin, in pixels: the median of those that were detected apart from their labels."""
    h = column.h
    least, most = column.right - _INTO_COLUMN * h, min(column.right + _MOST_INDENT * h, edge - _BEFORE_NEXT * h)
    lefts = [
        p.u0
        for p in pieces
        if p.key is None and p.start == 0 and least < p.u0 < most
        if any(abs(p.v - label.v) < _ON_LABEL_ROW * h for label in column.labels)
    ]
    return float(np.median(lefts)) if lefts else None


def value_rows(place: ValueRegion, pieces: Iterable[TextSegment]) -> Rows:
    """The pieces of a value row by row: its label's row, then those that go on below it. Empty for none."""
    label, h = place.label, place.column.h
    start = max(label.u1, place.column.right) - _INTO_COLUMN * h
    candidates = sorted((p for p in pieces if _may_belong(p, place, start)), key=lambda p: (p.v, p.u0))
    first = run([p for p in candidates if abs(p.v - label.v) < _SAME_ROW * max(h, p.h)], _ROW_GAP)
    if not first or first[0].u0 > (place.left or start) + _FAR * h:
        return ()
    return _with_lower_rows(first, candidates, place, start)


def _may_belong(piece: TextSegment, place: ValueRegion, start: float) -> bool:
    """Whether a piece has the place and the height of a part of the value."""
    label, h = place.label, place.column.h
    most = _MOST_HEIGHT_ON_ROW if abs(piece.v - label.v) < _CLEARLY_ON_ROW * h else _MOST_HEIGHT
    return (
        piece.key is None
        and piece.u1 > start + _LEAST_LENGTH * h
        and piece.u0 < place.edge - _OFF_NEXT_COLUMN * h
        and _LEAST_HEIGHT < piece.h / h < most
        and label.v - _ABOVE_LABEL * h < piece.v < place.floor - _OVER_FLOOR * h
        and (
            piece.u0 > start
            or (piece.strip is label.strip and piece.start >= label.end)
            or piece.u0 >= label.u1 - _OVER_LABEL_END * h
        )
    )


def _with_lower_rows(first: Row, candidates: Sequence[TextSegment], place: ValueRegion, start: float) -> Rows:
    """The first row, and below it those that follow closely and begin at the same place."""
    h = place.column.h
    begin = place.left if place.left is not None else first[0].u0
    aligned = (_ALIGNED if place.left is not None else _ALIGNED_LOOSELY) * h
    nearer = _NEARER * min(label_steps(place.column), default=float("inf"))
    rows = [first]
    for piece in candidates:
        above = rows[-1][0]
        down = piece.v - above.v
        if down < _SAME_ROW * h or any(piece is p for row in rows for p in row):
            continue
        of_period = piece.text.startswith("至") or above.text.endswith("至") or above.text.startswith("自")
        if down > (_NEXT_ROW_OF_PERIOD * h if of_period else min(_NEXT_ROW * max(h, above.h), nearer)):
            break
        if piece.u0 < start or abs(piece.u0 - begin) > aligned:
            continue
        beside = [p for p in candidates if abs(p.v - piece.v) < _ONE_ROW * h and p.u0 >= piece.u0]
        rows.append(run(beside, _LOWER_ROW_GAP))
    return tuple(rows)


def label_steps(column: LabelColumn) -> list[float]:
    """Pixels from each label row of a column down to the next one."""
    labels = column.labels
    steps = [below.v - above.v for above, below in pairwise(labels)]
    return [step for step in steps if step > MIN_ROW_STEP * column.h]


def header_value(label: TextSegment, pieces: Iterable[TextSegment]) -> Rows:
    """The value right of a header, or below it; one row with digits enough, or empty."""
    h = label.h
    values = [p for p in pieces if p.key is None and p.u1 > label.u0 and p.u0 < label.u1 + _HEADER_REACH * h]
    beside = [p for p in values if abs(p.v - label.v) < _BESIDE * h and p.u1 > label.u1 + _BEYOND_HEADER * h]
    below = [p for p in values if _BESIDE * h < p.v - label.v < _BELOW * h and p.u0 < label.u1]
    rows = (run(row, _HEADER_REACH) for row in (beside, below))
    return next(((row,) for row in rows if sum(c.isdigit() for p in row for c in p.text) >= _LEAST_DIGITS), ())


def run(row: Sequence[TextSegment], gap: float) -> Row:
    """The pieces of a row from the left up to the first gap wider than `gap` heights of the piece behind it."""
    out: list[TextSegment] = []
    for piece in sorted(row, key=lambda p: p.u0):
        if out and piece.u0 - out[-1].u1 > gap * piece.h:
            break
        out.append(piece)
    return tuple(out)


def text_of(rows: Rows) -> str:
    """The texts of a value's pieces, rows joined."""
    return "".join(p.text for row in rows for p in row)
