"""Key-value extraction for licences: the value of each label is on its row and below it in the value column.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in text heights (of
the column's labels, or of the segment that is compared with) unless they say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence import reread
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
)
from inkgate.engines.licence.labels import LABELS
from inkgate.engines.licence.reread import RegionReader, is_on_row
from inkgate.engines.licence.rows import (
    Rows,
    ValueRegion,
    header_value,
    text_of,
    value_column_left,
    value_rows,
)

_BLANK_BESIDE_HAN = re.compile(r"(?<![A-Za-zÀ-ɏ.,'’]) +| +(?![A-Za-zÀ-ɏ])")
_MIN_LENGTH = 0.4  # of a strip: a shorter one is a speck
_LABEL_REACH = 8.0  # right of the column's right edge: text there means that the row was detected

# Values without labels.
_INDENT = 1.5  # from the left edge of the value column, at most
_HEIGHTS = (0.7, 1.4)  # height of the value over that of the labels, between these
_ABOVE = 8.0  # the first label of a column: three rows whose labels were lost, as under a seal
_BELOW = 4.0  # the last label of a column
_BESIDE_COLUMN = 2.0  # above the first and below the last label of a column

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
            self._read_again(self._read_region)
        return Layout(tuple(self._columns), dict(self._values), self._authority())

    def _take(self, key: str, rows: Rows) -> None:
        self._values[key] = rows
        self._taken.update(p for row in rows for p in row)

    def _add_missing_rows(self, at: int, read_region: RegionReader) -> None:
        """Recognise rows of column `at` that were not detected, at the positions that the form suggests."""
        column = self._columns[at]
        h, left = column.h, column.left
        edge = next_column_left(self._columns, column.right, h)
        for v in reread.missing_rows(column, self._columns):
            beside = (p for p in self._segments if left - h < p.u0 < column.right + _LABEL_REACH * h)
            if any(is_on_row(p, v, h) for p in beside):
                continue
            found_segment = reread.read_row(left, edge, v, h, read_region)
            found = LABELS.segments(found_segment.strip) if found_segment else []
            if found and found[0].key and found[0].key not in {p.key for p in self._segments}:
                self._segments += found
                self._columns[at] = self._columns[at].with_label(found[0])

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
                and (found_segment := reread.read_right_of_label(region, self._read_region))
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

    def _read_again(self, read_region: RegionReader) -> None:
        """Recognise interrupted, truncated and missing values again."""
        for key in ("name", "addr"):
            free = [s for s in self._segments if s.key is None and s not in self._taken]
            rows = self._values.get(key, ())
            if whole := reread.bridge_gap(rows, free, self._columns, read_region):
                self._take(key, whole)
        for key in COMPLETE:
            if whole := reread.complete(key, self._values.get(key, ()), self._columns, read_region):
                self._values[key] = whole
        label = next((p for p in self._segments if p.key == "union_id"), None)
        if label and (whole := reread.find_code(label, self._values.get("union_id", ()), read_region)):
            self._values["union_id"] = whole

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
