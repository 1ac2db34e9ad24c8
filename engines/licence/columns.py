"""The label columns of a licence.

Licences have one or two columns of labels. Labels of two characters are spread over the width of the longest label
(名　　称) and are therefore detected whole, in several boxes, incomplete, or with their end joined to the value.
The columns are derived from the labels that were recognised whole; the other labels are identified by their position.

Coordinates are those of `document.scan.Strip`: `u` along the rows, `v` across them, in pixels of the upright image.
Thresholds are in text heights (of the label, box or column that is compared with) unless they say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from inkgate.engines.document.chars import printed_width_em
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence.labels import LABELS, SPELLINGS

HEADERS = ("union_id", "regist_no")  # labels outside the columns, above them
_OUTSIDE = (*HEADERS, "_serial", "_authority", "_issued")
_HEADS = {"名": "name", "类": "type", "住": "addr", "字": "name"}
_TAILS = {"称": "name", "型": "type", "所": "addr"}
_HAN = re.compile(r"[一-鿿]+$")
_MARKS = ":;.,·-"

_SAME_ROW = 0.6  # between the centres of segments on one row, at most
_SAME_BASELINE = 0.5  # the same for parts of one label
_SAME_COLUMN = 1.6  # between the left edges of labels of one column, at most
_BEYOND_LABELS = 12.0  # above the first and below the last label: parts of labels of the column
_LEFT_OF_COLUMN = 1.0  # of the column: left edge of a part of a label, at most
_RIGHT_OF_LABELS = 0.3  # of the column's longest label: left edge of a part of a label, at most
_ENDS_IN_COLUMN = 0.8  # right of the column: a segment that ends no further right is a label, not a value

# A label spread over several boxes.
_MAX_FOLLOWING = 5  # boxes behind the first
_OVERLAP = 0.4  # of two consecutive boxes, at most
_SPREAD_GAP = 6.0  # between two boxes, less than
_SIMILAR_HEIGHT = (0.6, 1.7)  # height ratio of two consecutive boxes, between these
_SPREAD_TEXT = 4  # characters: a longer text is no part of a spread label
_DAMAGED_TEXT = 5  # characters: a shorter text may be a label with one character lost or misread
_PART_TEXT = 3  # characters: a longer text ends the label

# Texts of parts, in characters.
_LONG_LABEL = 4  # labels of this length determine the right edge of a column
_SHORT_PART = 4  # a shorter text may be a label whose middle or second half was lost
_LONGEST_PART = 6


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """One column of labels: left and right edge and median height in pixels, and the labels from top to bottom."""

    left: float
    right: float
    h: float
    labels: tuple[TextSegment, ...]

    def with_label(self, label: TextSegment) -> LabelColumn:
        """A copy with one more label, in order of rows."""
        return replace(self, labels=tuple(sorted([*self.labels, label], key=lambda p: p.v)))

    def holds(self, segment: TextSegment) -> bool:
        """Whether the left edge of a segment is inside the column."""
        reach = _BEYOND_LABELS * self.h
        beside = self.labels[0].v - reach < segment.v < self.labels[-1].v + reach
        right = max(self.right, *(label.u1 for label in self.labels))
        return beside and self.left - _LEFT_OF_COLUMN * self.h < segment.u0 < right + _RIGHT_OF_LABELS * self.h


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """The labels and values of a licence, and the columns of its labels from left to right."""

    segments: tuple[TextSegment, ...]
    columns: tuple[LabelColumn, ...]


def next_column_left(columns: Sequence[LabelColumn], right: float, h: float) -> float:
    """Left edge of the first column more than one height `h` right of `right`; infinite for none."""
    return min((c.left for c in columns if c.left > right + h), default=float("inf"))


def split_strips(strips: Sequence[Strip]) -> list[TextSegment]:
    """Recognised strips split at labels; labels detected in several boxes are joined."""
    used: set[int] = set()
    segments: list[TextSegment] = []
    for strip in sorted(strips, key=lambda s: s.u0):
        text = strip.text or ""
        if id(strip) in used or len(text) > _SPREAD_TEXT or LABELS.match_exact(text):
            continue
        if found := _spread(strip, [s for s in strips if id(s) not in used]):
            used.update(id(p) for p in found[1])
            segments += _joined(*found)
    return segments + [p for s in strips if id(s) not in used for p in LABELS.segments(s)]


def _spread(strip: Strip, strips: Sequence[Strip]) -> tuple[tuple[str, int], list[Strip]] | None:
    """The spread label that begins with this strip and continues in the next boxes of the row, and its boxes."""
    text, chain = strip.text or "", [strip]
    damaged: tuple[tuple[str, int], list[Strip]] | None = None  # one character lost or misread
    for _ in range(_MAX_FOLLOWING):
        row = [s for s in strips if _follows(s, chain[-1])]
        if not row:
            break
        following = min(row, key=lambda s: s.u0)
        chain.append(following)
        text += following.text or ""
        found = LABELS.match_exact(text)
        if found and found[1] > len(text) - len(following.text or ""):
            return found, chain
        if len(chain) > 2 and len(text) < _DAMAGED_TEXT and (near := LABELS.match_prefix(text)):
            damaged = near, list(chain)
        if len(following.text or "") > _PART_TEXT:
            break
    return damaged


def _follows(strip: Strip, last: Strip) -> bool:
    """Whether a box may be the next part of a spread label after `last`."""
    near = strip.u0 >= last.u1 - _OVERLAP * last.h and strip.u0 - last.u1 < _SPREAD_GAP * last.h
    least, most = _SIMILAR_HEIGHT
    return near and abs(strip.v - last.v) < _SAME_ROW * last.h and least < strip.h / last.h < most


def _joined(found: tuple[str, int], parts: Sequence[Strip]) -> list[TextSegment]:
    """The label that consists of several strips, and the value at the end of the last one."""
    key, used = found
    first, last = parts[0], parts[-1]
    tail = used - sum(len(s.text or "") for s in parts[:-1])
    text = last.text or ""
    share = printed_width_em(text[:tail]) / (printed_width_em(text) or 1.0)
    edge = last.u0 + share * last.length
    label = TextSegment(key, "".join(s.text or "" for s in parts)[:used], first.u0, edge, last.v, last.h, first)
    rest = text[tail:].lstrip(_MARKS)
    return [label, TextSegment(None, rest, edge, last.u1, last.v, last.h, last, share, 1.0)] if rest else [label]


def find_columns(segments: Sequence[TextSegment]) -> LabelColumns:
    """Columns by the left edges of whole labels, completed by the parts of labels inside them."""
    return _ColumnBuilder(segments).build()


def _groups(segments: Sequence[TextSegment]) -> list[list[TextSegment]]:
    """Whole labels grouped by left edge, from left to right."""
    labels = sorted((p for p in segments if p.key and p.key not in _OUTSIDE), key=lambda p: p.u0)
    groups: list[list[TextSegment]] = []
    for label in labels:
        if groups and label.u0 - groups[-1][-1].u0 < _SAME_COLUMN * label.h:
            groups[-1].append(label)
        else:
            groups.append([label])
    return groups


def _column(group: Sequence[TextSegment]) -> LabelColumn:
    """The column of a group of labels: medians of the edges and the height, the last two over the long labels."""
    long = [p for p in group if len(p.text) >= _LONG_LABEL] or group
    return LabelColumn(
        float(np.median([p.u0 for p in group])),
        float(np.median([p.u1 for p in long])),
        float(np.median([p.h for p in long])),
        tuple(sorted(group, key=lambda p: p.v)),
    )


class _ColumnBuilder:
    """Collects columns and completes them with the parts of labels."""

    def __init__(self, segments: Sequence[TextSegment]) -> None:
        groups = _groups(segments)
        self._segments = list(segments)
        self._columns = [
            _column(group)
            for group in groups
            # A single short label such as 名称 may be part of a value.
            if len(group) > 1 or len(group[0].text) >= _LONG_LABEL or len(groups) == 1
        ]

    def build(self) -> LabelColumns:
        """The completed columns, and all segments."""
        for at in range(len(self._columns)):
            self._complete(at)
        return LabelColumns(tuple(self._segments), tuple(self._columns))

    def _complete(self, at: int) -> None:
        """Turn parts of labels inside column `at` into labels; other text there becomes an unknown label, which
        ends the value above."""
        known = {label.key for column in self._columns for label in column.labels if label.key}
        column = self._columns[at]
        inside = sorted(
            (p for p in self._segments if p.key is None and p.text and column.holds(p)), key=lambda p: (p.v, p.u0)
        )
        while inside:
            row = [p for p in inside if abs(p.v - inside[0].v) < _SAME_BASELINE * column.h]
            inside = [p for p in inside if p not in row]
            if any(abs(label.v - row[0].v) < _SAME_ROW * column.h for label in self._columns[at].labels):
                continue
            row.sort(key=lambda p: p.u0)
            text = "".join(p.text for p in row)
            part = _part(text, known) or _first_half(row, known)
            if part is not None:
                known.add(part[0])
                self._label_row(at, row, *part)
            elif row[-1].u1 < column.right + _ENDS_IN_COLUMN * column.h and _HAN.match(text):
                self._unknown_label(at, row, text)

    def _unknown_label(self, at: int, row: Sequence[TextSegment], text: str) -> None:
        """Add the whole row to column `at` as a label whose value is not returned."""
        last = row[-1]
        label = TextSegment("_unknown", text, row[0].u0, last.u1, last.v, last.h, last.strip)
        self._columns[at] = self._columns[at].with_label(label)
        for segment in row:
            self._segments.remove(segment)

    def _label_row(self, at: int, row: Sequence[TextSegment], key: str, used: int) -> None:
        """Add the first `used` characters of a row to column `at` as a label; the rest of the segment is a value."""
        first, edge = row[0], row[0].u1
        for segment in row:
            if used <= 0:
                break
            self._segments.remove(segment)
            if used >= len(segment.text):
                edge = segment.u1
            else:
                rest = _behind(segment, used)
                self._segments.append(rest)
                edge = rest.u0
            used -= len(segment.text)
        label = TextSegment(key, "", first.u0, max(edge, first.u0 + first.h), first.v, first.h, first.strip)
        self._segments.append(label)
        self._columns[at] = self._columns[at].with_label(label)


def _behind(segment: TextSegment, used: int) -> TextSegment:
    """The value behind the first `used` characters of a segment."""
    share = printed_width_em(segment.text[:used]) / printed_width_em(segment.text)
    edge = segment.u0 + share * (segment.u1 - segment.u0)
    start = segment.start + share * (segment.end - segment.start)
    rest = segment.text[used:].lstrip(_MARKS)
    return TextSegment(None, rest, edge, segment.u1, segment.v, segment.h, segment.strip, start, segment.end)


def _first_half(row: Sequence[TextSegment], known: set[str]) -> tuple[str, int] | None:
    """The label whose first half is a segment of its own, before a misread half or the value (类 T 有限责任公司)."""
    key = _HEADS.get(row[0].text)
    if key is None or key in known or len(row) < 2:
        return None
    return key, 1 + (len(row[1].text) == 1)


def _part(text: str, known: set[str]) -> tuple[str, int] | None:
    """(key, characters) of the label not found yet whose damaged text a row begins with."""
    if (found := LABELS.match_prefix(text)) and found[0] not in known:
        return found
    return _end_or_beginning(text, known) or _around(text, known) or _half(text, known)


def _end_or_beginning(text: str, known: set[str]) -> tuple[str, int] | None:
    """The label whose end a text begins with, or whose beginning it is; the longest part counts."""
    for n in range(min(len(text), _LONGEST_PART), 1, -1):
        part = text[:n]
        for key, spellings in SPELLINGS.items():
            if key in known or key in _OUTSIDE:
                continue
            for spelling in spellings:
                if len(spelling) > 2 and (spelling.endswith(part) or (n == len(text) and spelling.startswith(part))):
                    return key, n
    return None


def _around(text: str, known: set[str]) -> tuple[str, int] | None:
    """The label of four characters of which the middle (注 本, under a seal) or later characters are lost."""
    if len(text) >= _SHORT_PART:
        return None
    ends = text[0] + text[-1]
    for key, spellings in SPELLINGS.items():
        if key not in known and any(len(s) == 4 and s[0] + s[-1] == ends for s in spellings):
            return key, len(text)
    key_around = _only_label_around(text, known) if len(text) > 1 else None
    return (key_around, len(text)) if key_around else None


def _half(text: str, known: set[str]) -> tuple[str, int] | None:
    """The label of two characters of which one is lost or misread."""
    half = _HEADS.get(text) or _TAILS.get(text[0])
    if half and half not in known:
        return half, 1
    first = _HEADS.get(text[0]) if len(text) < _SHORT_PART and not _HAN.match(text[1:]) else None
    if first and first not in known:  # 类T: the second half misread
        return first, len(text)
    second = _TAILS.get(text[1:2])  # 美型: the first half misread
    return (second, 2) if second and second not in known else None


def _only_label_around(text: str, known: set[str]) -> str | None:
    """The key of the label of four characters of which only `text`, its first character and others, is left (注资)."""
    unknown = [(key, s) for key, all_ in SPELLINGS.items() if key not in known and key not in _OUTSIDE for s in all_]
    keys = {key for key, s in unknown if len(s) == 4 and s[0] == text[0] and _in_order(text, s)}
    return keys.pop() if len(keys) == 1 else None


def _in_order(part: str, whole: str) -> bool:
    """Whether `part` is a subsequence of `whole`."""
    rest = iter(whole)
    return all(character in rest for character in part)
