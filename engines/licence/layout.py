"""Key-value extraction for licences: the value of each label is on its row and below it in the value column.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in text heights (of
the column's labels, or of the segment that is compared with) unless they say otherwise.
"""

from __future__ import annotations

import re
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
from inkgate.engines.licence.formats import (
    COMPLETE,
    FORMATS,
    FORMATS_AFTER_LABEL_END,
    LABEL_ENDS,
    OFFICE,
    TRUNCATED,
    UNTIL,
)
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

RegionReader = Callable[[float, float, float, float], TextSegment | None]
"""Recognises the region from `u0` to `u1` on the row with centre `v` and height `h`; None where there is no text."""

_BLANK_BESIDE_HAN = re.compile(r"(?<![A-Za-zÀ-ɏ.,'’]) +| +(?![A-Za-zÀ-ɏ])")
_MIN_LENGTH = 0.4  # of a strip: a shorter one is a speck
_SAME_ROW = 0.6  # between the centres of segments on one row, less than

# Rows that were not detected. Pitch: the least step from one label row to the next.
_BESIDE_FIRST = (0.7, 1.4)  # pitches from the first row of the other column down to this one's
_GAP_OF_TWO = (1.7, 2.4)  # pitches between two label rows with a missing row between them
_MAX_GAPS = 2  # of a column that are recognised
_LABEL_REACH = 8.0  # right of the column's right edge: text there means that the row was detected
_REACH = 24.0  # the longest row
_MARGIN = 0.5  # left of the column
_ROW_HEIGHT = 1.3  # of the region, so that text is not cut off

# A value that was not detected, right of its label.
_VALUE_REACH, _VALUE_MARGIN, _VALUE_HEIGHT = 18.0, 0.4, 1.25

# Values without labels.
_INDENT = 1.5  # from the left edge of the value column, at most
_HEIGHTS = (0.7, 1.4)  # height of the value over that of the labels, between these
_ABOVE = 8.0  # the first label of a column: three rows whose labels were lost, as under a seal
_BELOW = 4.0  # the last label of a column
_BESIDE_COLUMN = 2.0  # above the first and below the last label of a column

# Truncated values.
_AGAIN_MARGIN, _AGAIN_HEIGHT = 0.2, 1.2
_NEXT_ROW = (1.45, 1.8)  # from one row of a period down to the next, tried in this order
_CODE_LENGTH = 14.0  # of eighteen letters and digits, at most
_CODE_BELOW = (1.05, 1.3)  # from the credit code's label down to the code, tried in this order
_CODE_MARGIN, _CODE_HEIGHT = 0.3, 1.1
_CODE_DIGITS = 8  # of a credit code, at least

# Rows that a seal interrupts.
_GAP_UNDER_SEAL = 8.0  # between the two parts of the row, less than
_PART_HEIGHTS = (0.75, 1.3)  # height of the second part over that of the first, between these
_MATCHING = 3  # characters at both ends of the row that the second recognition must confirm

# The registering office, right of its label or below it.
_OFFICE_REACH = 16.0  # between the left edges of label and office, less than
_OFFICE_ROWS = (-0.6, 3.0)  # from the label's centre down to the office's


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of labels from left to right, and the rows of segments of each value by key. `authority` is the
    registering office where it is printed and not only in its seal, else ""."""

    columns: tuple[LabelColumn, ...]
    values: Mapping[str, Rows]
    authority: str = ""

    def text(self, key: str) -> str:
        """The value of a key, rows joined; "" where there is none."""
        return text_of(self.values.get(key, ()))

    def spaced_text(self, key: str) -> str:
        """The value of a key with the blanks between its Latin words; "" where there is none."""
        text = " ".join(p.spaced_text for row in self.values.get(key, ()) for p in row)
        return _BLANK_BESIDE_HAN.sub("", text)

    @property
    def keys(self) -> set[str]:
        """The keys of the labels in columns."""
        return {label.key for column in self.columns for label in column.labels if label.key}

    def with_last_segment(self, key: str, segment: TextSegment) -> Layout:
        """A copy with the last segment of a value replaced; the value must have one."""
        *rows, last = self.values[key]
        return replace(self, values={**self.values, key: (*rows, (*last[:-1], segment))})


def lay_out(strips: Sequence[Strip], read_region: RegionReader | None = None) -> Layout:
    """Columns and values from recognised strips; `read_region` recognises a region in which a value is missing."""
    usable = [s for s in strips if s.text and not s.is_oblique and s.length > _MIN_LENGTH * s.h]
    return _LayoutBuilder(find_columns(split_strips(usable)), read_region).build()


class _LayoutBuilder:
    """Collects values step by step, and the segments that they consist of."""

    def __init__(self, found: LabelColumns, read_region: RegionReader | None) -> None:
        self._segments = list(found.segments)
        self._columns = list(found.columns)
        self._read_region = read_region
        self._values: dict[str, Rows] = {}
        self._taken: set[TextSegment] = set()

    def build(self) -> Layout:
        """The layout after all steps."""
        if self._read_region:
            for at in range(len(self._columns)):
                self._add_missing_rows(at, self._read_region)
        for column in self._columns:
            self._add_values(column)
        self._add_isolated_labels()
        self._add_damaged_rows()
        self._add_headers()
        if self._read_region:
            self._bridge_gaps(self._read_region)
            self._reread_truncated(self._read_region)
            self._find_code(self._read_region)
        return Layout(tuple(self._columns), dict(self._values), self._authority())

    def _take(self, key: str, rows: Rows) -> None:
        self._values[key] = rows
        self._taken.update(p for row in rows for p in row)

    def _add_missing_rows(self, at: int, read_region: RegionReader) -> None:
        """Recognise rows of column `at` that were not detected, at the positions that the form suggests."""
        column = self._columns[at]
        h, left = column.h, column.left
        edge = next_column_left(self._columns, column.right, h)
        for v in self._missing_rows(column):
            beside = (p for p in self._segments if left - h < p.u0 < column.right + _LABEL_REACH * h)
            if any(abs(p.v - v) < _SAME_ROW * h for p in beside):
                continue
            found_segment = read_region(left - _MARGIN * h, min(left + _REACH * h, edge - h), v, _ROW_HEIGHT * h)
            found = LABELS.segments(found_segment.strip) if found_segment else []
            if found and found[0].key and found[0].key not in {p.key for p in self._segments}:
                self._segments += found
                self._columns[at] = self._columns[at].with_label(found[0])

    def _missing_rows(self, column: LabelColumn) -> list[float]:
        """Centres of rows that may be missing: level with the first row of the other column, in a gap of two pitches,
        and below the last row."""
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
        return [*beside[:1], *gaps[:_MAX_GAPS], *below]

    def _add_values(self, column: LabelColumn) -> None:
        """Assign the values of a column's labels, then the values whose labels are missing."""
        edge = next_column_left(self._columns, column.right, column.h)
        left = value_column_left(column, edge, self._segments)
        for label, below in zip(column.labels, [*column.labels[1:], None], strict=True):
            if not label.key or label.key in self._values:
                continue
            region = ValueRegion(label, column, left, edge, below.v if below else float("inf"))
            rows = value_rows(region, self._segments)
            if (
                not rows
                and self._read_region
                and not label.key.startswith("_")
                and (found_segment := _read_right_of_label(region, self._read_region))
            ):
                rows = ((found_segment,),)
            if rows:
                self._take(label.key, rows)
        if left is not None:
            self._add_orphans(column, left)

    def _add_orphans(self, column: LabelColumn, left: float) -> None:
        """Assign unclaimed rows of the value column with left edge `left` by their format."""
        h = column.h
        top, bottom = column.labels[0].v - _ABOVE * h, column.labels[-1].v + _BELOW * h
        for segment in self._unclaimed(h, top, bottom):
            if abs(segment.u0 - left) > _INDENT * h:
                continue
            key = next((k for k, form in FORMATS.items() if k not in self._values and form.match(segment.text)), None)
            if key:
                self._take(key, ((segment,),))

    def _add_isolated_labels(self) -> None:
        """Assign the values of labels that no column contains, for fields without a value."""
        known = {label.key for column in self._columns for label in column.labels}
        for label in self._segments:
            key = label.key or "_"
            if key.startswith("_") or key in HEADERS or key in known or key in self._values or label.start > 0:
                continue
            column = LabelColumn(label.u0, label.u1, label.h, (label,))
            edge = next_column_left(self._columns, label.u1, label.h)
            free = [s for s in self._segments if s not in self._taken]
            if rows := value_rows(ValueRegion(label, column, None, edge, float("inf")), free):
                self._take(key, rows)

    def _bridge_gaps(self, read_region: RegionReader) -> None:
        """Recognise a first row again that a seal interrupts, up to the segment behind the gap.

        The result is used only if it begins with the text before the gap and ends with the text behind it.
        """
        for key in ("name", "addr"):
            rows = self._values.get(key, ())
            if not rows:
                continue
            first, last = rows[0][0], rows[0][-1]
            h, edge = last.h, next_column_left(self._columns, last.u1, last.h)
            on_row = (s for s in self._segments if s.key is None and s not in self._taken and s.u1 < edge)
            least, most = _PART_HEIGHTS
            alike = (s for s in on_row if least < s.h / h < most)
            near = [s for s in alike if abs(s.v - last.v) < _SAME_ROW * h and 0 < s.u0 - last.u1 < _GAP_UNDER_SEAL * h]
            if not near:
                continue
            behind = min(near, key=lambda s: s.u0)
            margin = _AGAIN_MARGIN * h
            found = read_region(first.u0 - margin, behind.u1 + margin, (first.v + behind.v) / 2, _AGAIN_HEIGHT * h)
            before = text_of(rows[:1])
            if found and found.text.startswith(before[:_MATCHING]) and found.text.endswith(behind.text[-_MATCHING:]):
                self._take(key, ((found,), *rows[1:]))

    def _add_damaged_rows(self) -> None:
        """Assign by format the rows of whose label only the last character is left (期2012年08月20日)."""
        if not self._columns:
            return
        first = self._columns[0]
        reach = _BESIDE_COLUMN * first.h
        for segment in self._unclaimed(first.h, first.labels[0].v - reach, first.labels[-1].v + reach):
            text = segment.text[1:] if segment.text[:1] in LABEL_ENDS else segment.text
            key = next((k for k in FORMATS_AFTER_LABEL_END if k not in self._values and FORMATS[k].match(text)), None)
            if key and segment.u0 > first.right:
                self._values[key] = ((replace(segment, text=text),),)
                self._taken.add(segment)

    def _unclaimed(self, h: float, top: float, bottom: float) -> Iterator[TextSegment]:
        """Segments of about the height `h` between two rows that belong to no value yet."""
        least, most = _HEIGHTS
        for segment in self._segments:
            if (
                not segment.key
                and segment not in self._taken
                and least < segment.h / h < most
                and top < segment.v < bottom
            ):
                yield segment

    def _add_headers(self) -> None:
        """Assign the values of the header labels above the columns."""
        for label in self._segments:
            if label.key in HEADERS and label.key not in self._values and (rows := header_value(label, self._segments)):
                self._values[label.key] = rows

    def _reread_truncated(self, read_region: RegionReader) -> None:
        """Recognise truncated values again as one strip that reaches further to the right, as under a seal.

        The result is used only if it has the complete format.
        """
        for key, whole in COMPLETE.items():
            rows = self._values.get(key, ())
            text = text_of(rows)
            if len(rows) != 1 or not TRUNCATED[key].search(text) or whole.search(text):
                continue
            first = rows[0][0]
            h, left = first.h, first.u0 - _AGAIN_MARGIN * first.h
            right = min(left + _REACH * h, next_column_left(self._columns, first.u1, h) - h)
            found_segment = read_region(left, right, first.v, _AGAIN_HEIGHT * h)
            if found_segment and whole.search(found_segment.text):
                self._values[key] = ((found_segment,),)
            elif key == "operation_period":
                below = (read_region(left, right, first.v + down * h, _AGAIN_HEIGHT * h) for down in _NEXT_ROW)
                if end := next((p for p in below if p and UNTIL.match(p.text)), None):
                    self._values[key] = (*rows, (end,))

    def _find_code(self, read_region: RegionReader) -> None:
        """Recognise a credit code that was not or only partly detected, as under a watermark: below its label, else
        right of it."""
        label = next((p for p in self._segments if p.key == "union_id"), None)
        whole = COMPLETE["union_id"]
        rows = self._values.get("union_id", ())
        if label is None or any(whole.search(text_of((row,))) for row in rows):
            return
        h = label.h
        below = [(label.u0 - _CODE_MARGIN * h, label.v + down * h) for down in _CODE_BELOW]
        for left, v in [*below, (label.u1, label.v)]:
            found_segment = read_region(left, left + _CODE_LENGTH * h, v, _CODE_HEIGHT * h)
            if (
                found_segment
                and (found := whole.search(found_segment.text))
                and sum(c.isdigit() for c in found.group()) >= _CODE_DIGITS
            ):
                self._values["union_id"] = ((found_segment,),)
                return

    def _authority(self) -> str:
        """The registering office printed right of its label or below it, "" for none."""
        label = next((p for p in self._segments if p.key == "_authority"), None)
        if label is None:
            return ""
        h = label.h
        over, under = _OFFICE_ROWS
        near = (
            p.text
            for p in self._segments
            if p.key is None and OFFICE.search(p.text) and p.u1 > label.u0
            if abs(p.u0 - label.u0) < _OFFICE_REACH * h and over * h < p.v - label.v < under * h
        )
        return next(near, "")


def _read_right_of_label(region: ValueRegion, read_region: RegionReader) -> TextSegment | None:
    """A value that was not detected, right of its label."""
    column = region.column
    h = column.h
    begin = (region.left if region.left is not None else column.right + h) - _VALUE_MARGIN * h
    return read_region(begin, min(begin + _VALUE_REACH * h, region.edge - h), region.label.v, _VALUE_HEIGHT * h)
