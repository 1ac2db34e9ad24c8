"""Values of licences that were not, or only partly, detected: recognised in the region where they must be.

Coordinates and thresholds as in `layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.licence.columns import LabelColumn, next_column_left
from inkgate.engines.licence.formats import COMPLETE, TRUNCATED, UNTIL
from inkgate.engines.licence.rows import Rows, ValueRegion, label_steps, text_of

RegionReader = Callable[[float, float, float, float], TextSegment | None]
"""Recognises the region from `u0` to `u1` on the row with centre `v` and height `h`; None where there is no text."""

_SAME_ROW = 0.6  # between the centres of segments on one row, less than

# Rows that were not detected. Pitch: the least step from one label row to the next.
_BESIDE_FIRST = (0.7, 1.4)  # pitches from the first row of the other column down to this one's
_GAP_OF_TWO = (1.7, 2.4)  # pitches between two label rows with a missing row between them
_MAX_GAPS = 2  # of a column that are recognised
_REACH = 24.0  # the longest row
_MARGIN = 0.5  # left of the column
_ROW_HEIGHT = 1.3  # of the region, so that text is not cut off

# A value that was not detected, right of its label.
_VALUE_REACH, _VALUE_MARGIN, _VALUE_HEIGHT = 18.0, 0.4, 1.25

# Truncated values.
_AGAIN_MARGIN, _AGAIN_HEIGHT = 0.2, 1.2
_NEXT_ROW = (1.45, 1.8)  # from one row of a period down to the next, tried in this order
_CODE_LENGTH = 14.0  # of eighteen letters and digits, at most
_CODE_BELOW = (1.05, 1.3)  # from the credit code's label down to the code, tried in this order
_CODE_MARGIN, _CODE_HEIGHT = 0.3, 1.1
_CODE_DIGITS = 8  # of a credit code, at least

# Rows that a seal interrupts.
_GAP_UNDER_SEAL = 8.0  # between the two parts of the row, less than
_PART_HEIGHTS = (0.6, 1.35)  # height of the second part over that of the first, between these
_MATCHING = 3  # characters at both ends of the row that the second recognition must confirm


def is_on_row(segment: TextSegment, v: float, h: float) -> bool:
    """Whether a segment lies on the row with centre `v` of text of height `h`."""
    return abs(segment.v - v) < _SAME_ROW * h


def missing_rows(column: LabelColumn, columns: Sequence[LabelColumn]) -> list[float]:
    """Centres of rows that may be missing: level with the first row of the other column, in a gap of two pitches,
    and below the last row."""
    steps, labels = label_steps(column), column.labels
    if not steps:
        return []
    pitch = min(steps)
    others = [p.v for c in columns if c is not column for p in c.labels]
    least, most = _BESIDE_FIRST
    beside = [v for v in others if least < (labels[0].v - v) / pitch < most]
    least, most = _GAP_OF_TWO
    gaps = [(a.v + b.v) / 2 for a, b in pairwise(labels) if least < (b.v - a.v) / pitch < most]
    below = [labels[-1].v + pitch] if labels[-1].key != "_scope" else []
    return [*beside[:1], *gaps[:_MAX_GAPS], *below]


def read_row(left: float, edge: float, v: float, h: float, read_region: RegionReader) -> TextSegment | None:
    """The row with centre `v` of a column with left edge `left`, up to the next column at `edge`."""
    return read_region(left - _MARGIN * h, min(left + _REACH * h, edge - h), v, _ROW_HEIGHT * h)


def read_right_of_label(region: ValueRegion, read_region: RegionReader) -> TextSegment | None:
    """A value that was not detected, right of its label."""
    column = region.column
    h = column.h
    begin = (region.left if region.left is not None else column.right + h) - _VALUE_MARGIN * h
    return read_region(begin, min(begin + _VALUE_REACH * h, region.edge - h), region.label.v, _VALUE_HEIGHT * h)


def bridge_gap(
    rows: Rows, free: Sequence[TextSegment], columns: Sequence[LabelColumn], read_region: RegionReader
) -> Rows | None:
    """Recognise a first row again that a seal interrupts, up to the one of the `free` segments behind the gap.

    None unless the result begins with the text before the gap and ends with the text behind it.
    """
    if not rows:
        return None
    first, last = rows[0][0], rows[0][-1]
    h, edge = last.h, next_column_left(columns, last.u1, last.h)
    least, most = _PART_HEIGHTS
    alike = (s for s in free if s.u1 < edge and least < s.h / h < most)
    near = [s for s in alike if is_on_row(s, last.v, h) and 0 < s.u0 - last.u1 < _GAP_UNDER_SEAL * h]
    if not near:
        return None
    behind = min(near, key=lambda s: s.u0)
    margin = _AGAIN_MARGIN * h
    found = read_region(first.u0 - margin, behind.u1 + margin, (first.v + behind.v) / 2, _AGAIN_HEIGHT * h)
    before = text_of(rows[:1])
    if found and found.text.startswith(before[:_MATCHING]) and found.text.endswith(behind.text[-_MATCHING:]):
        return ((found,), *rows[1:])
    return None


def complete(key: str, rows: Rows, columns: Sequence[LabelColumn], read_region: RegionReader) -> Rows | None:
    """Recognise a truncated value again as one strip that reaches further to the right, as under a seal.

    None unless the value is truncated and the result has the complete format.
    """
    whole, text = COMPLETE[key], text_of(rows)
    if len(rows) != 1 or not TRUNCATED[key].search(text) or whole.search(text):
        return None
    first = rows[0][0]
    h, left = first.h, first.u0 - _AGAIN_MARGIN * first.h
    right = min(left + _REACH * h, next_column_left(columns, first.u1, h) - h)
    found_segment = read_region(left, right, first.v, _AGAIN_HEIGHT * h)
    if found_segment and whole.search(found_segment.text):
        return ((found_segment,),)
    if key == "operation_period":
        below = (read_region(left, right, first.v + down * h, _AGAIN_HEIGHT * h) for down in _NEXT_ROW)
        if end := next((p for p in below if p and UNTIL.match(p.text)), None):
            return (*rows, (end,))
    return None


def find_code(label: TextSegment, rows: Rows, read_region: RegionReader) -> Rows | None:
    """Recognise a credit code that was not or only partly detected, as under a watermark: below its label, else
    right of it."""
    whole = COMPLETE["union_id"]
    if any(whole.search(text_of((row,))) for row in rows):
        return None
    h = label.h
    below = [(label.u0 - _CODE_MARGIN * h, label.v + down * h) for down in _CODE_BELOW]
    for left, v in [*below, (label.u1, label.v)]:
        found_segment = read_region(left, left + _CODE_LENGTH * h, v, _CODE_HEIGHT * h)
        if (
            found_segment
            and (found := whole.search(found_segment.text))
            and sum(c.isdigit() for c in found.group()) >= _CODE_DIGITS
        ):
            return ((found_segment,),)
    return None
