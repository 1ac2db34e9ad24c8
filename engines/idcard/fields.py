"""From pieces of print to the fields of an identity card: which value belongs to which label.

Coordinates are those of `document.scan.Strip`, in pixels of the upright image. Thresholds are in heights of print (of
the label, or of the piece that is compared with) unless they say otherwise.
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

Look = Callable[[float, float, float, float], TextSegment | None]
"""Reads the place from `u0` to `u1` on the row with centre `v` and height `h`; None where nothing stands there."""

# The value on a label's row.
_SAME_ROW, _SAME_ROW_SMALL = 0.75, 0.4  # between centres, less than; of the larger of the two
_SMALL = 0.7  # print lower than this must stand right beside the label: other scripts are printed above the row
_ROW_GAP = 10.0  # a wider gap ends the row
_ROW_HEIGHTS = (0.55, 2.4)  # height of a value over that of its label, between these
_WORD_GAP = 4.0  # heights of the piece: a wider gap ends a value

# The number.
_NUMBER_ROW = 1.0  # between the centres of the number and of its label, less than
_LEAST_DIGITS = 15  # that a number on its label's row has at least when it does not have the form of one

# The address; in heights of its first row.
_OVER_LABEL = 1.1  # its first row is no further above the label
_OVER_NUMBER = 0.9  # and its last one at least so far above the number
_ADDRESS_HEIGHTS = (0.6, 1.6)  # height of a piece over that of the first row, between these
_ADDRESS_LEFT = 2.0  # left of where values begin, at most
_ADDRESS_INDENT = 3.0  # between where rows begin, less than
_ADDRESS_ROW = 0.6  # between the centres of pieces of one row, less than
_ADDRESS_STEP = 2.6  # from one row down to the next, less than
_ADDRESS_GAP = 1.5  # heights of the piece: a wider gap ends a row
_VALUE_AFTER_LABEL = 1.0  # from the end of a label to where values begin, if no value shows it

# Rows whose labels were lost. Pitch: from the row of the sex or the nation down to that of the date of birth.
_PITCH = (0.8, 3.0)  # between these when the row of the address is derived from it,
_PITCH_OF_NAME = (0.8, 6.0)  # and between these when that of the name is
_ADDRESS_PITCHES = 1.15  # from the date of birth down to the address
_NAME_PITCHES = (0.6, 1.4)  # from the name down to the sex, between these
_NAME_INDENT = 3.5  # between where the name and other values begin, less than
_LEAST_NAME = 2  # characters
_NAME_LOOK = (0.4, 9.0, 1.5)  # left and right of where values begin, and the height of the row that is read

# The authority; in heights of its label.
_AUTHORITY_ABOVE = 1.5  # the label, at most
_AUTHORITY_BELOW = 2.0  # the label, at most, where the validity below it was not read
_OVER_PERIOD = 0.7  # heights of the validity's label: at least so far above that
_AUTHORITY_LEFT, _AUTHORITY_RIGHT = 1.0, 8.0  # of the label's end, at most
_AUTHORITY_HEIGHTS = (0.6, 2.0)  # height of a piece over that of the label, between these
_AUTHORITY_INDENT = 1.5  # between where its two rows begin, less than
_AUTHORITY_ROW = 0.5  # between the centres of pieces of one row, less than
_AUTHORITY_GAP = 1.5  # between pieces of one row, less than

_PERIOD_LOOK = (0.5, 10.0, 1.3)  # as _NAME_LOOK, for the validity


@dataclass(frozen=True, slots=True)
class FieldValues:
    """Raw texts by key as printed, the pieces that each was taken from, and the labels that were read."""

    values: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Sequence[TextSegment]] = field(default_factory=dict)
    labels: Mapping[str, TextSegment] = field(default_factory=dict)

    def with_value(self, key: str, text: str) -> FieldValues:
        """The same with another text for a key, its pieces unchanged."""
        return replace(self, values={**self.values, key: text})


def assign_fields(pieces: Sequence[TextSegment], look: Look | None = None) -> FieldValues:
    """Every field that the pieces carry, as printed; no checks, no repairs.

    `look` is asked to read a place where a value must stand but no piece was found.
    """
    return _FieldBuilder(pieces, look).build()


class _FieldBuilder:
    """Fields while they are found; later steps use where earlier ones were."""

    def __init__(self, pieces: Sequence[TextSegment], look: Look | None) -> None:
        self._pieces = pieces
        self._look = look
        self._values: dict[str, str] = {}
        self._sources: dict[str, list[TextSegment]] = {}
        self._labels: dict[str, TextSegment] = {}
        for piece in pieces:
            if piece.key:
                self._labels.setdefault(piece.key, piece)

    def build(self) -> FieldValues:
        """Run every step and return what was found."""
        self._find_number()
        for key in ("name", "sex", "nation", "birthday", "validperiod"):
            if key in self._labels:
                self._take(key, [_same_row(self._labels[key], self._pieces)])
        self._find_nation_beside_sex()
        self._find_address()
        self._find_authority()
        if "name" not in self._values:
            self._find_name_by_place()
        if not PERIOD.search(self._values.get("validperiod", "")):
            self._find_period_by_form()
        return FieldValues(self._values, self._sources, self._labels)

    def _take(self, key: str, rows: Sequence[Sequence[TextSegment]], gap: float = _WORD_GAP) -> None:
        if rows and rows[0]:
            self._values[key] = "".join(join_until_gap(row, gap) for row in rows)
            self._sources[key] = [p for row in rows for p in row]

    def _find_number(self) -> None:
        """The number by its form, or what has digits enough on its label's row; of several the surest."""
        best: tuple[int, float] | None = None
        label = self._labels.get("idn")
        for piece in self._pieces:
            if piece.key:
                continue
            row = [piece]
            text = piece.text.translate(_DIGITS)
            on_row = label is not None and abs(piece.v - label.v) < _NUMBER_ROW * piece.h and piece.u1 > label.u1
            if label and on_row:
                row = _same_row(label, self._pieces) or row
                text = join_until_gap(row, _WORD_GAP).translate(_DIGITS)
            match = NUMBER.search(text)
            digits = "".join(c for c in text if c.isdigit() or c == "X")
            rank = (2 if match else 1, piece.strip.score)
            if (match or (on_row and len(digits) >= _LEAST_DIGITS)) and (best is None or rank > best):
                best = rank
                self._values["idn"] = match.group() if match else digits
                self._sources["idn"] = row

    def _find_nation_beside_sex(self) -> None:
        """The nation when its label was misread and stands with it behind the sex (女民旅汉)."""
        match = _SEX_AND_NATION.search(self._values.get("sex", ""))
        if "nation" not in self._values and match:
            self._values["nation"], self._sources["nation"] = match[1], self._sources["sex"]

    def _find_address(self) -> None:
        """The rows right of the address's label and below, down to the number."""
        label = self._labels.get("addr") or self._address_row()
        if label is None:
            return
        floor = self._labels.get("idn") or next(iter(self._sources.get("idn", [])), None)
        first = _same_row(label, self._pieces)
        left = min((p.u0 for p in first), default=self._value_left(label.u1 + _VALUE_AFTER_LABEL * label.h))
        h = first[0].h if first else label.h
        lowest = floor.v - _OVER_NUMBER * h if floor and floor.v > label.v else float("inf")
        rows: list[list[TextSegment]] = []
        for piece in sorted(self._pieces, key=lambda p: p.v):
            if not label.v - _OVER_LABEL * h < piece.v < lowest or not _of_address(piece, left, h):
                continue
            if rows and abs(piece.v - rows[-1][0].v) < _ADDRESS_ROW * h:
                rows[-1].append(piece)
                continue
            follows = not rows or piece.v - rows[-1][0].v < _ADDRESS_STEP * h
            if follows and abs(piece.u0 - left) < _ADDRESS_INDENT * h:
                rows.append([piece])
        self._take("addr", rows, _ADDRESS_GAP)

    def _address_row(self) -> TextSegment | None:
        """Where the label of the address must stand when it was not read: a row below the date of birth."""
        birth, top = self._labels.get("birthday"), self._labels.get("sex") or self._labels.get("nation")
        if birth is None or top is None or "idn" not in self._sources:
            return None
        pitch = birth.v - top.v
        least, most = _PITCH
        if not least * birth.h < pitch < most * birth.h:
            return None
        return replace(birth, key="addr", text="", v=birth.v + _ADDRESS_PITCHES * pitch)

    def _find_authority(self) -> None:
        """The issuing authority: on the label's row, or in two rows around it that begin at one place."""
        label = self._labels.get("org")
        if label is None:
            self._take("org", [[p for p in self._pieces if p.key is None and _AUTHORITY.search(p.text)][:1]])
            return
        below = self._labels.get("validperiod")
        floor = label.v + _AUTHORITY_BELOW * label.h
        if below and below.v > label.v:
            floor = below.v - _OVER_PERIOD * below.h
        near = sorted((p for p in self._pieces if _of_authority(p, label, floor)), key=lambda p: p.u0)
        rows = [[p] for p in near if abs(p.u0 - near[0].u0) < _AUTHORITY_INDENT * label.h]
        for piece in near[len(rows) :]:
            home = next((row for row in rows if abs(row[0].v - piece.v) < _AUTHORITY_ROW * label.h), None)
            if home and piece.u0 - home[-1].u1 < _AUTHORITY_GAP * label.h:
                home.append(piece)
        self._take("org", sorted(rows, key=lambda row: row[0].v))

    def _value_left(self, default: float) -> float:
        """Where values begin on the portrait side, in pixels: the median of those found."""
        lefts = [self._sources[k][0].u0 for k in ("birthday", "addr", "name", "sex") if k in self._sources]
        return sorted(lefts)[len(lefts) // 2] if lefts else default

    def _find_name_by_place(self) -> None:
        """The name when its label was not read: one row above sex, in the column of values."""
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
        for piece in self._pieces:
            if piece.key is not None or piece.strip.is_oblique or not least * pitch < top - piece.v < most * pitch:
                continue
            text = piece.text.lstrip("姓名")
            if abs(piece.u0 - left) < _NAME_INDENT * h and len(text) >= _LEAST_NAME and _is_name(text):
                self._values["name"], self._sources["name"] = text, [piece]
                return
        before, after, high = _NAME_LOOK
        if self._look and (seen := self._look(left - before * h, left + after * h, top - pitch, high * h)):
            self._take("name", [[seen]])

    def _find_period_by_form(self) -> None:
        """The validity by its own form, or by looking right of its label."""
        for piece in self._pieces:
            if piece.key is None and _PARTIAL_PERIOD.search(piece.text):
                self._take("validperiod", [[piece]])
                return
        label, above = self._labels.get("validperiod"), self._sources.get("org")
        if label and self._look:
            h = label.h
            left = above[0].u0 if above else label.u1 + _VALUE_AFTER_LABEL * h
            before, after, high = _PERIOD_LOOK
            seen = self._look(left - before * h, left + after * h, label.v, high * h)
            if seen and PERIOD.search(seen.text):
                self._take("validperiod", [[seen]])


def _same_row(label: TextSegment, pieces: Iterable[TextSegment]) -> list[TextSegment]:
    """Values right of a label on its row, up to the next label or a wide gap."""
    right = sorted((p for p in pieces if p is not label and (p.u0 + p.u1) / 2 > label.u1), key=lambda p: p.u0)
    least, most = _ROW_HEIGHTS
    out: list[TextSegment] = []
    for piece in right:
        near = _SAME_ROW if piece.h > _SMALL * label.h else _SAME_ROW_SMALL
        if not abs(piece.v - label.v) < near * max(piece.h, label.h):
            continue
        if piece.key or piece.u0 - (out[-1].u1 if out else label.u1) > _ROW_GAP * label.h:
            break
        if not piece.strip.is_oblique and least < piece.h / label.h < most:
            out.append(piece)
    return out


def _of_address(piece: TextSegment, left: float, h: float) -> bool:
    """Whether a piece may be a part of an address whose first row is `h` high and begins at `left`."""
    least, most = _ADDRESS_HEIGHTS
    if piece.key or piece.strip.is_oblique or not least < piece.h / h < most:
        return False
    return piece.u0 >= left - _ADDRESS_LEFT * h and bool(HAN.search(piece.text) or re.search(r"\d", piece.text))


def _of_authority(piece: TextSegment, label: TextSegment, floor: float) -> bool:
    """Whether a piece may be a part of the authority right of `label` and above `floor`."""
    h = label.h
    least, most = _AUTHORITY_HEIGHTS
    return (
        piece.key is None
        and label.v - _AUTHORITY_ABOVE * h < piece.v < floor
        and piece.u0 > label.u1 - _AUTHORITY_LEFT * h
        and not piece.strip.is_oblique
        and bool(HAN.search(piece.text))
        and least < piece.h / h < most
        and piece.u0 - label.u1 < _AUTHORITY_RIGHT * h
    )


def _is_name(text: str) -> bool:
    return all(HAN.match(c) or c == "·" for c in text)
