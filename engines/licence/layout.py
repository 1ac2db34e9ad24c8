"""The value of each label of a licence: its own row, and the rows below it in the column of values.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in heights of print (of
the column's labels, or of the piece that is compared with) unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence.columns import (
    HEADERS,
    LabelColumn,
    LabelColumns,
    find_columns,
    next_column_left,
    split_strips,
)
from inkgate.engines.licence.forms import BROKEN, FORMS, FORMS_BESIDE, LAST_CHARACTERS, OFFICE, UNTIL, WHOLE
from inkgate.engines.licence.labels import LABELS
from inkgate.engines.licence.rows import (
    Rows,
    ValueRegion,
    header_value,
    label_steps,
    text_of,
    value_column_left,
    value_rows,
)

Look = Callable[[float, float, float, float], TextSegment | None]
"""Reads the place from `u0` to `u1` on the row with centre `v` and height `h`; None where nothing stands there."""

_LEAST_LENGTH = 0.4  # of a strip: a shorter one is a speck
_SAME_ROW = 0.6  # between the centres of print on one row, less than

# Rows that detection missed. Pitch: the least step from one label row to the next.
_BESIDE_FIRST = (0.7, 1.4)  # pitches that the other column begins above this one's first row
_GAP_OF_TWO = (1.7, 2.4)  # pitches between two label rows that have a third one between them
_MOST_GAPS = 2  # of a column that are looked at
_LABEL_REACH = 8.0  # right of the column's right edge: where print shows that the row was detected
_REACH = 24.0  # the longest row
_MARGIN = 0.5  # left of the column, and 1.3 high: print is not cut off
_ROW_HEIGHT = 1.3

# A value that detection missed, right of its label.
_VALUE_REACH, _VALUE_MARGIN, _VALUE_HEIGHT = 18.0, 0.4, 1.25

# Values without labels.
_INDENT = 1.5  # between where a value begins and where the values of its column do, at most
_HEIGHTS = (0.7, 1.4)  # height of the value over that of the labels, between these
_ABOVE = 8.0  # a column's first label: three rows whose labels were lost, as under a seal
_BELOW = 4.0  # a column's last label
_BESIDE_COLUMN = 2.0  # above the first and below the last label of a column

# Values that broke off.
_AGAIN_MARGIN, _AGAIN_HEIGHT = 0.2, 1.2
_NEXT_ROW = (1.45, 1.8)  # from one row of a period down to the next, tried in this order
_CODE_LENGTH = 14.0  # what eighteen letters and digits take at most
_CODE_BELOW = (1.05, 1.3)  # from the credit code's label down to the code, tried in this order
_CODE_MARGIN, _CODE_HEIGHT = 0.3, 1.1
_CODE_DIGITS = 8  # that a credit code has at least

# The office that registers, right of its label or below it.
_OFFICE_REACH = 16.0  # between the left edges of label and office, less than
_OFFICE_ROWS = (-0.6, 3.0)  # from the label's centre down to the office's


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of labels left to right, and by key the rows of pieces that make each value. `authority` is the office
    that registers, where it is printed and not only in its seal, else ""."""

    columns: tuple[LabelColumn, ...]
    values: Mapping[str, Rows]
    authority: str = ""

    def text(self, key: str) -> str:
        """The value of a key, rows joined; "" where there is none."""
        return text_of(self.values.get(key, ()))

    @property
    def keys(self) -> set[str]:
        """The keys whose labels stand in a column."""
        return {label.key for column in self.columns for label in column.labels if label.key}

    def with_last_piece(self, key: str, piece: TextSegment) -> Layout:
        """The layout with another piece at the end of a value, which must have one."""
        *rows, last = self.values[key]
        return replace(self, values={**self.values, key: (*rows, (*last[:-1], piece))})


def lay_out(strips: Sequence[Strip], look: Look | None = None) -> Layout:
    """Columns and values from strips that have been read; `look` reads a place where a value is missing."""
    usable = [s for s in strips if s.text and not s.is_oblique and s.length > _LEAST_LENGTH * s.h]
    return _LayoutBuilder(find_columns(split_strips(usable)), look).build()


class _LayoutBuilder:
    """Values while they are found, and which pieces they have taken."""

    def __init__(self, found: LabelColumns, look: Look | None) -> None:
        self._pieces = list(found.pieces)
        self._columns = list(found.columns)
        self._look = look
        self._values: dict[str, Rows] = {}
        self._taken: set[TextSegment] = set()

    def build(self) -> Layout:
        """Run every step and return what was found."""
        if self._look:
            for at in range(len(self._columns)):
                self._add_missing_rows(at, self._look)
        for column in self._columns:
            self._add_values(column)
        self._add_damaged_rows()
        self._add_headers()
        if self._look:
            self._look_again(self._look)
            self._look_for_code(self._look)
        return Layout(tuple(self._columns), dict(self._values), self._authority())

    def _take(self, key: str, rows: Rows) -> None:
        self._values[key] = rows
        self._taken.update(p for row in rows for p in row)

    def _add_missing_rows(self, at: int, look: Look) -> None:
        """Rows of column `at` that were not detected at all are looked for where the form has them."""
        column = self._columns[at]
        h, left = column.h, column.left
        edge = next_column_left(self._columns, column.right, h)
        for v in self._missing_rows(column):
            beside = (p for p in self._pieces if left - h < p.u0 < column.right + _LABEL_REACH * h)
            if any(abs(p.v - v) < _SAME_ROW * h for p in beside):
                continue
            seen = look(left - _MARGIN * h, min(left + _REACH * h, edge - h), v, _ROW_HEIGHT * h)
            found = LABELS.segments(seen.strip) if seen else []
            if found and found[0].key and found[0].key not in {p.key for p in self._pieces}:
                self._pieces += found
                self._columns[at] = self._columns[at].with_label(found[0])

    def _missing_rows(self, column: LabelColumn) -> list[float]:
        """Centres of rows that the form may have: beside the row that begins the other column, in a gap of two rows,
        below the last row."""
        steps, labels = label_steps(column), column.labels
        if not steps:
            return []
        pitch = min(steps)
        others = [p.v for c in self._columns if c is not column for p in c.labels]
        least, most = _BESIDE_FIRST
        beside = [v for v in others if least < (labels[0].v - v) / pitch < most]
        least, most = _GAP_OF_TWO
        gaps = [(a.v + b.v) / 2 for a, b in pairwise(labels) if least < (b.v - a.v) / pitch < most]
        below = [labels[-1].v + pitch] if labels[-1].key != "_scope" else []
        return [*beside[:1], *gaps[:_MOST_GAPS], *below]

    def _add_values(self, column: LabelColumn) -> None:
        """The values of a column's labels, then those that stand among them without a label."""
        edge = next_column_left(self._columns, column.right, column.h)
        left = value_column_left(column, edge, self._pieces)
        for label, below in zip(column.labels, [*column.labels[1:], None], strict=True):
            if not label.key or label.key in self._values:
                continue
            place = ValueRegion(label, column, left, edge, below.v if below else float("inf"))
            rows = value_rows(place, self._pieces)
            if not rows and self._look and not label.key.startswith("_") and (seen := _look_right(place, self._look)):
                rows = ((seen,),)
            if rows:
                self._take(label.key, rows)
        if left is not None:
            self._add_orphans(column, left)

    def _add_orphans(self, column: LabelColumn, left: float) -> None:
        """Rows in the column of values, which begin at `left`, that no label claims, recognised by their form."""
        h = column.h
        top, bottom = column.labels[0].v - _ABOVE * h, column.labels[-1].v + _BELOW * h
        for piece in self._unclaimed(h, top, bottom):
            if abs(piece.u0 - left) > _INDENT * h:
                continue
            key = next((k for k, form in FORMS.items() if k not in self._values and form.match(piece.text)), None)
            if key:
                self._take(key, ((piece,),))

    def _add_damaged_rows(self) -> None:
        """Rows beside the columns of whose label only the last character is left (期2012年08月20日), recognised
        by their form."""
        if not self._columns:
            return
        first = self._columns[0]
        reach = _BESIDE_COLUMN * first.h
        for piece in self._unclaimed(first.h, first.labels[0].v - reach, first.labels[-1].v + reach):
            text = piece.text[1:] if piece.text[:1] in LAST_CHARACTERS else piece.text
            key = next((k for k in FORMS_BESIDE if k not in self._values and FORMS[k].match(text)), None)
            if key and piece.u0 > first.right:
                self._values[key] = ((replace(piece, text=text),),)
                self._taken.add(piece)

    def _unclaimed(self, h: float, top: float, bottom: float) -> Iterator[TextSegment]:
        """Values of about the height `h` between two rows that no label has taken when they are reached."""
        least, most = _HEIGHTS
        for piece in self._pieces:
            if not piece.key and piece not in self._taken and least < piece.h / h < most and top < piece.v < bottom:
                yield piece

    def _add_headers(self) -> None:
        """The values of labels that stand by themselves above the columns."""
        for label in self._pieces:
            if label.key in HEADERS and label.key not in self._values and (rows := header_value(label, self._pieces)):
                self._values[label.key] = rows

    def _look_again(self, look: Look) -> None:
        """Values that break off, as under a seal: the row is read again in one piece, further to the right, and what
        was there before is kept unless the new reading has the whole form."""
        for key, whole in WHOLE.items():
            rows = self._values.get(key, ())
            text = text_of(rows)
            if len(rows) != 1 or not BROKEN[key].search(text) or whole.search(text):
                continue
            first = rows[0][0]
            h, left = first.h, first.u0 - _AGAIN_MARGIN * first.h
            right = min(left + _REACH * h, next_column_left(self._columns, first.u1, h) - h)
            seen = look(left, right, first.v, _AGAIN_HEIGHT * h)
            if seen and whole.search(seen.text):
                self._values[key] = ((seen,),)
            elif key == "operation_period":
                below = (look(left, right, first.v + down * h, _AGAIN_HEIGHT * h) for down in _NEXT_ROW)
                if end := next((p for p in below if p and UNTIL.match(p.text)), None):
                    self._values[key] = (*rows, (end,))

    def _look_for_code(self, look: Look) -> None:
        """A credit code of which detection missed the whole or an end, as under a watermark: below its label, from the
        label's left edge, else right of it."""
        label = next((p for p in self._pieces if p.key == "union_id"), None)
        whole = WHOLE["union_id"]
        rows = self._values.get("union_id", ())
        if label is None or any(whole.search(text_of((row,))) for row in rows):
            return
        h = label.h
        below = [(label.u0 - _CODE_MARGIN * h, label.v + down * h) for down in _CODE_BELOW]
        for left, v in [*below, (label.u1, label.v)]:
            seen = look(left, left + _CODE_LENGTH * h, v, _CODE_HEIGHT * h)
            if seen and (found := whole.search(seen.text)) and sum(c.isdigit() for c in found.group()) >= _CODE_DIGITS:
                self._values["union_id"] = ((seen,),)
                return

    def _authority(self) -> str:
        """The name of an office that is printed right of its label or below it, "" for none."""
        label = next((p for p in self._pieces if p.key == "_authority"), None)
        if label is None:
            return ""
        h = label.h
        over, under = _OFFICE_ROWS
        near = (
            p.text
            for p in self._pieces
            if p.key is None and OFFICE.search(p.text) and p.u1 > label.u0
            if abs(p.u0 - label.u0) < _OFFICE_REACH * h and over * h < p.v - label.v < under * h
        )
        return next(near, "")


def _look_right(place: ValueRegion, look: Look) -> TextSegment | None:
    """A value that detection missed, right of its label."""
    column = place.column
    h = column.h
    begin = (place.left if place.left is not None else column.right + h) - _VALUE_MARGIN * h
    return look(begin, min(begin + _VALUE_REACH * h, place.edge - h), place.label.v, _VALUE_HEIGHT * h)
