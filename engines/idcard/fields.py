"""Key-value extraction for identity cards: which text segment is the value of which label.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in text heights (of the
label, or of the segment that is compared with) unless they say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inkgate.engines.document.labels import TextSegment, join_until_gap

NUMBER = re.compile(r"\d{17}[\dX]")
PERIOD = re.compile(r"(\d{4})[.,]?(\d{2})[.,]?(\d{2})-?((\d{4})[.,]?(\d{2})[.,]?(\d{2})|长期|长)")
HAN = re.compile(r"[㐀-鿿\U00020000-\U000323af]")
_SEX_AND_NATION = re.compile(r"[男女](?:民.|.族)(\S{1,4})$")
_PARTIAL_PERIOD = re.compile(r"\d{4}\.\d{2}\.\d{2}-")
_AUTHORITY = re.compile(r"公安(分)?局|分局$|出入境")
_DIGITS = str.maketrans("OoQDIlSsBZzx", "00001155822X")

RegionReader = Callable[[float, float, float, float], TextSegment | None]
"""Recognises the region from `u0` to `u1` on the row with centre `v` and height `h`; None where there is no text."""

# The value on a label's row.
_SAME_ROW, _SAME_ROW_SMALL = 0.75, 0.4  # between centres, less than; of the larger of the two
_SMALL_TEXT = 0.7  # smaller text must be closer to the row's centre: other scripts are printed above the row
_ROW_GAP = 10.0  # a wider gap ends the row
_ROW_HEIGHTS = (0.55, 2.4)  # height of a value over that of its label, between these
_WORD_GAP = 4.0  # heights of the segment: a wider gap ends a value

# The number.
_NUMBER_ROW = 1.0  # between the centres of the number and of its label, less than
_MIN_DIGITS = 15  # of a number on its label's row that does not match NUMBER

# The address; in heights of its first row.
_OVER_LABEL = 1.1  # from its first row down to the label, at most
_OVER_NUMBER = 0.9  # from its last row down to the number, at least
_ADDRESS_HEIGHTS = (0.6, 1.6)  # height of a segment over that of the first row, between these
_ADDRESS_LEFT = 2.0  # left of the value column, at most
_ADDRESS_INDENT = 3.0  # between the left edges of rows, less than
_ADDRESS_ROW = 0.6  # between the centres of segments of one row, less than
_ADDRESS_STEP = 2.6  # from one row down to the next, less than
_ADDRESS_GAP = 1.5  # heights of the segment: a wider gap ends a row
_VALUE_AFTER_LABEL = 1.0  # from the end of a label to the value column, if no value was found

# Rows whose labels were not read. Pitch: from the row of the sex or the nation down to that of the date of birth.
_PITCH = (0.8, 3.0)  # range for which the row of the address is derived from it
_PITCH_OF_NAME = (0.8, 6.0)  # range for which the row of the name is derived from it
_ADDRESS_PITCHES = 1.15  # from the date of birth down to the address
_NAME_PITCHES = (0.6, 1.4)  # from the name down to the sex, between these
_NAME_INDENT = 3.5  # between the left edges of the name and of other values, less than
_MIN_NAME = 2  # characters
_NAME_REGION = (0.4, 9.0, 1.5)  # left and right of the value column, and height of the region

# A name in two rows; in heights of its label.
_NAME_ROWS = 2
_MIN_LONG_NAME = 6  # characters
_NAME_ROW_HEIGHTS = 0.7  # of the smaller over the larger: names in other scripts above the row are smaller
_NAME_ABOVE = 1.8  # from the upper row down to the label, at most
_NAME_OVER_SEX = 0.9  # from the lower row down to the label of the sex, at least
_NAME_ROW = 0.6  # heights of the segment: between the centres of segments of one row, less than
_NAME_ROWS_INDENT = 1.5  # between the left edges of the rows, less than

# The authority; in heights of its label.
_AUTHORITY_ABOVE = 1.5  # the label, at most
_AUTHORITY_BELOW = 2.0  # the label, at most, where the validity period below it was not found
_OVER_PERIOD = 0.7  # heights of the validity period's label: at least so far above that
_AUTHORITY_LEFT, _AUTHORITY_RIGHT = 1.0, 8.0  # of the label's end, at most
_AUTHORITY_HEIGHTS = (0.6, 2.0)  # height of a segment over that of the label, between these
_AUTHORITY_INDENT = 1.5  # between the left edges of its two rows, less than
_AUTHORITY_ROW = 0.5  # between the centres of segments of one row, less than
_AUTHORITY_GAP = 1.5  # between segments of one row, less than

_PERIOD_REGION = (0.5, 10.0, 1.3)  # as _NAME_REGION, for the validity period


@dataclass(frozen=True, slots=True)
class FieldValues:
    """Uncorrected texts by key, the segments that each consists of, and the label anchors."""

    values: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Sequence[TextSegment]] = field(default_factory=dict)
    labels: Mapping[str, TextSegment] = field(default_factory=dict)

    def with_value(self, key: str, text: str) -> FieldValues:
        """A copy with another text for a key and the same segments."""
        return replace(self, values={**self.values, key: text})


def assign_fields(segments: Sequence[TextSegment], read_region: RegionReader | None = None) -> FieldValues:
    """The fields of a card from its segments, as printed, unchecked and uncorrected.

    `read_region` recognises a region in which a value is expected but was not detected.
    """
    return _FieldBuilder(segments, read_region).build()


class _FieldBuilder:
    """Collects fields step by step; later steps use the positions of fields found before."""

    def __init__(self, segments: Sequence[TextSegment], read_region: RegionReader | None) -> None:
        self._segments = segments
        self._read_region = read_region
        self._values: dict[str, str] = {}
        self._sources: dict[str, list[TextSegment]] = {}
        self._labels: dict[str, TextSegment] = {}
        for segment in segments:
            if segment.key:
                self._labels.setdefault(segment.key, segment)

    def build(self) -> FieldValues:
        """The fields found by all steps."""
        self._find_number()
        for key in ("name", "sex", "nation", "birthday", "validperiod"):
            if key in self._labels:
                self._take(key, [_same_row(self._labels[key], self._segments)])
        self._find_name_in_two_rows()
        self._find_nation_beside_sex()
        self._find_address()
        self._find_authority()
        if "name" not in self._values:
            self._find_name_by_position()
        if not PERIOD.search(self._values.get("validperiod", "")):
            self._find_period_by_format()
        return FieldValues(self._values, self._sources, self._labels)

    def _take(self, key: str, rows: Sequence[Sequence[TextSegment]], gap: float = _WORD_GAP) -> None:
        if rows and rows[0]:
            self._values[key] = "".join(join_until_gap(row, gap) for row in rows)
            self._sources[key] = [p for row in rows for p in row]

    def _find_number(self) -> None:
        """The number by its format, or a segment with enough digits on its label's row; of several the best score."""
        best: tuple[int, float] | None = None
        label = self._labels.get("idn")
        for segment in self._segments:
            if segment.key:
                continue
            row = [segment]
            text = segment.text.translate(_DIGITS)
            on_row = label is not None and abs(segment.v - label.v) < _NUMBER_ROW * segment.h and segment.u1 > label.u1
            if label and on_row:
                row = _same_row(label, self._segments) or row
                text = join_until_gap(row, _WORD_GAP).translate(_DIGITS)
            match = NUMBER.search(text)
            digits = "".join(c for c in text if c.isdigit() or c == "X")
            rank = (2 if match else 1, segment.strip.score)
            if (match or (on_row and len(digits) >= _MIN_DIGITS)) and (best is None or rank > best):
                best = rank
                self._values["idn"] = match.group() if match else digits
                self._sources["idn"] = row

    def _find_name_in_two_rows(self) -> None:
        """A long name in two left-aligned rows, the label beside one or between both."""
        label, first = self._labels.get("name"), self._sources.get("name")
        below = next((self._labels[k] for k in ("sex", "nation", "birthday") if k in self._labels), None)
        if not (label and first and below):
            return
        h, left = label.h, min(s.u0 for s in first)
        top, bottom = label.v - _NAME_ABOVE * h, below.v - _NAME_OVER_SEX * h
        rows: list[list[TextSegment]] = []
        for segment in sorted(self._segments, key=lambda s: s.v):
            if not (top < segment.v < bottom and _of_address(segment, left, h)) or not HAN.search(segment.text):
                continue
            if rows and segment.v - rows[-1][0].v < _NAME_ROW * segment.h:
                rows[-1].append(segment)
            elif abs(segment.u0 - left) < _NAME_ROWS_INDENT * h:
                rows.append([segment])
        text = "".join(join_until_gap(row, _WORD_GAP) for row in rows)
        heights = [segment.h for row in rows for segment in row]
        alike = min(heights, default=0.0) > _NAME_ROW_HEIGHTS * max(heights, default=0.0)
        long = all(len(HAN.findall(row[0].text)) >= _MIN_NAME for row in rows) and len(text) >= _MIN_LONG_NAME
        if len(rows) == _NAME_ROWS and alike and long:
            self._take("name", rows)

    def _find_nation_beside_sex(self) -> None:
        """The nation whose label was misread and is part of the value of the sex (女民旅汉)."""
        match = _SEX_AND_NATION.search(self._values.get("sex", ""))
        if "nation" not in self._values and match:
            self._values["nation"], self._sources["nation"] = match[1], self._sources["sex"]

    def _find_address(self) -> None:
        """The rows right of the label of the address and below it, down to the number."""
        label = self._labels.get("addr") or self._address_row()
        if label is None:
            return
        floor = self._labels.get("idn") or next(iter(self._sources.get("idn", [])), None)
        first = _same_row(label, self._segments)
        left = min((p.u0 for p in first), default=self._value_left(label.u1 + _VALUE_AFTER_LABEL * label.h))
        h = first[0].h if first else label.h
        lowest = floor.v - _OVER_NUMBER * h if floor and floor.v > label.v else float("inf")
        rows: list[list[TextSegment]] = []
        for segment in sorted(self._segments, key=lambda p: p.v):
            if not label.v - _OVER_LABEL * h < segment.v < lowest or not _of_address(segment, left, h):
                continue
            if rows and abs(segment.v - rows[-1][0].v) < _ADDRESS_ROW * h:
                rows[-1].append(segment)
                continue
            follows = not rows or segment.v - rows[-1][0].v < _ADDRESS_STEP * h
            if follows and abs(segment.u0 - left) < _ADDRESS_INDENT * h:
                rows.append([segment])
        self._take("addr", rows, _ADDRESS_GAP)

    def _address_row(self) -> TextSegment | None:
        """The position of an address label that was not read: one row below the date of birth."""
        birth, top = self._labels.get("birthday"), self._labels.get("sex") or self._labels.get("nation")
        if birth is None or top is None or "idn" not in self._sources:
            return None
        pitch = birth.v - top.v
        least, most = _PITCH
        if not least * birth.h < pitch < most * birth.h:
            return None
        return replace(birth, key="addr", text="", v=birth.v + _ADDRESS_PITCHES * pitch)

    def _find_authority(self) -> None:
        """The issuing authority: on the label's row, or in two left-aligned rows around it."""
        label = self._labels.get("org")
        if label is None:
            self._take("org", [[p for p in self._segments if p.key is None and _AUTHORITY.search(p.text)][:1]])
            return
        below = self._labels.get("validperiod")
        floor = label.v + _AUTHORITY_BELOW * label.h
        if below and below.v > label.v:
            floor = below.v - _OVER_PERIOD * below.h
        near = sorted((p for p in self._segments if _of_authority(p, label, floor)), key=lambda p: p.u0)
        rows = [[p] for p in near if abs(p.u0 - near[0].u0) < _AUTHORITY_INDENT * label.h]
        for segment in near[len(rows) :]:
            same = next((row for row in rows if abs(row[0].v - segment.v) < _AUTHORITY_ROW * label.h), None)
            if same and segment.u0 - same[-1].u1 < _AUTHORITY_GAP * label.h:
                same.append(segment)
        self._take("org", sorted(rows, key=lambda row: row[0].v))

    def _value_left(self, default: float) -> float:
        """Left edge of the value column of the portrait side, in pixels: the median of the values found."""
        lefts = [self._sources[k][0].u0 for k in ("birthday", "addr", "name", "sex") if k in self._sources]
        return sorted(lefts)[len(lefts) // 2] if lefts else default

    def _find_name_by_position(self) -> None:
        """The name whose label was not read: one row above the sex, in the value column."""
        rows = {k: self._labels[k].v for k in ("sex", "nation", "birthday") if k in self._labels}
        top = rows.get("sex", rows.get("nation"))
        if top is None or "birthday" not in rows:
            return
        pitch, label = rows["birthday"] - top, self._labels["birthday"]
        h = label.h
        least, most = _PITCH_OF_NAME
        if not least * h < pitch < most * h:
            return
        left = self._value_left(label.u1 + _VALUE_AFTER_LABEL * h)
        least, most = _NAME_PITCHES
        for segment in self._segments:
            if (
                segment.key is not None
                or segment.strip.is_oblique
                or not least * pitch < top - segment.v < most * pitch
            ):
                continue
            text = segment.text.lstrip("姓名")
            if abs(segment.u0 - left) < _NAME_INDENT * h and len(text) >= _MIN_NAME and _is_name(text):
                self._values["name"], self._sources["name"] = text, [segment]
                return
        before, after, high = _NAME_REGION
        if self._read_region and (
            found := self._read_region(left - before * h, left + after * h, top - pitch, high * h)
        ):
            self._take("name", [[found]])

    def _find_period_by_format(self) -> None:
        """The validity period by its format, or from the region right of its label."""
        for segment in self._segments:
            if segment.key is None and _PARTIAL_PERIOD.search(segment.text):
                self._take("validperiod", [[segment]])
                return
        label, above = self._labels.get("validperiod"), self._sources.get("org")
        if label and self._read_region:
            h = label.h
            left = above[0].u0 if above else label.u1 + _VALUE_AFTER_LABEL * h
            before, after, high = _PERIOD_REGION
            found = self._read_region(left - before * h, left + after * h, label.v, high * h)
            if found and PERIOD.search(found.text):
                self._take("validperiod", [[found]])


def _same_row(label: TextSegment, segments: Iterable[TextSegment]) -> list[TextSegment]:
    """Values right of a label on its row, up to the next label or a wide gap."""
    right = sorted((p for p in segments if p is not label and (p.u0 + p.u1) / 2 > label.u1), key=lambda p: p.u0)
    least, most = _ROW_HEIGHTS
    out: list[TextSegment] = []
    for segment in right:
        near = _SAME_ROW if segment.h > _SMALL_TEXT * label.h else _SAME_ROW_SMALL
        if not abs(segment.v - label.v) < near * max(segment.h, label.h):
            continue
        if segment.key or segment.u0 - (out[-1].u1 if out else label.u1) > _ROW_GAP * label.h:
            break
        if not segment.strip.is_oblique and least < segment.h / label.h < most:
            out.append(segment)
    return out


def _of_address(segment: TextSegment, left: float, h: float) -> bool:
    """Whether a segment may be part of an address whose first row is `h` high with left edge `left`."""
    least, most = _ADDRESS_HEIGHTS
    if segment.key or segment.strip.is_oblique or not least < segment.h / h < most:
        return False
    return segment.u0 >= left - _ADDRESS_LEFT * h and bool(HAN.search(segment.text) or re.search(r"\d", segment.text))


def _of_authority(segment: TextSegment, label: TextSegment, floor: float) -> bool:
    """Whether a segment may be part of the authority, right of `label` and above `floor`."""
    h = label.h
    least, most = _AUTHORITY_HEIGHTS
    return (
        segment.key is None
        and label.v - _AUTHORITY_ABOVE * h < segment.v < floor
        and segment.u0 > label.u1 - _AUTHORITY_LEFT * h
        and not segment.strip.is_oblique
        and bool(HAN.search(segment.text))
        and least < segment.h / h < most
        and segment.u0 - label.u1 < _AUTHORITY_RIGHT * h
    )


def to_number(text: str) -> str:
    """The first identity number by format in a text, letters that digits are misread as replaced; "" for none."""
    match = NUMBER.search(text.translate(_DIGITS))
    return match.group() if match else ""


def _is_name(text: str) -> bool:
    return all(HAN.match(c) or c == "·" for c in text)
