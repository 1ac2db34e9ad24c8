"""Selects the strips of a licence to recognise: labels first, then the values that are returned.

The scope of business, the notes, the footer and the desk are about half of an image's lines and none of the answer.
Thresholds are in heights of print (of the strip, or of the labels) unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkgate.engines.document.chars import printed_width_em
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import DocumentScan, Strip
from inkgate.engines.licence.columns import LabelColumn, find_columns, next_column_left, split_strips
from inkgate.engines.licence.labels import LABELS, ORDER

TITLE = "营业执照"
_KNOWN_WORDS = frozenset(LABELS.fragments()) | {TITLE}
_FIELDS = frozenset(ORDER)
_CLEAR_SCORE = 0.9  # score: a label that the draft network reads this surely is not read again
_LEAST_LABELS = 2  # of fields: an image with fewer shows no licence
_FEW_LABELS = 3  # fewer than this below a title: hard to read

_SHORT_STRIP_HEIGHTS = 7.5  # labels, titles, dates, half labels are shorter
_UPRIGHT = 1.5  # a strip this many times as high as it is long is no row of print
_SPECK = 0.5  # share of the usual height of print that a label has at least

# Beginnings of long strips.
_PREFIX_HEIGHTS = 6.0  # what is read of a longer strip to see whether it begins with a label
_MAX_PREFIXES = 60  # strips
_HEIGHTS = (0.65, 1.8)  # height of a strip over that of the labels, between these
_SAME_ROW = 0.5  # between the centres of a label and of its value, less than
_VALUE_BEGINS = (-0.5, 8.0)  # from the end of a label to where its value begins, between these
_NEXT_ROW = (0.5, 1.6)  # from a row of a block of print down to the next one, between these
_SAME_LEFT = 1.5  # between where two rows of a block begin, less than

# What is wanted of the rest.
_BESIDE_COLUMN = 5.0  # above the first and below the last label: what may be a part of a label
_PART_HEIGHTS = (0.4, 1.6)  # of it, over that of the labels
_LEAST_HEIGHT, _MOST_HEIGHT = 0.55, 1.9  # of a value over that of the labels
_HEADER = (15.0, 0.7)  # above the topmost label: the title, the code or the registration number, between these
_HEADER_LEFT = 4.0  # left of the first column where the header may begin
_OFF_NEXT_COLUMN = 0.5  # a value begins at least so far left of the next column
_VALUE_REACH = 28.0  # right of the column's right edge
_OWN_ROW = 0.8  # a label this little below a strip still stands on its row
_LOST_ROWS = 6.0  # above the first label of a column: rows whose labels were lost
_VALUE_ROWS = 8.0  # below a label: where its value may go on


def recognise_fields(scan: DocumentScan) -> bool:
    """Read what the fields need and level the scan by the labels; False when there are not two labels."""
    usual = _usual_height(scan.strips)
    scan.recognise_draft(
        lambda s: s.length < _SHORT_STRIP_HEIGHTS * s.h and s.h < _UPRIGHT * s.length and s.h > _SPECK * usual
    )
    scan.trust(lambda s: s.text in _KNOWN_WORDS and s.score > _CLEAR_SCORE)
    labels = field_labels(scan)
    if labels:
        scan.refit_rectification([p.strip for p in labels])
    _recognise_prefixes(scan, labels, usual)
    labels = field_labels(scan)
    if len(labels) < _FEW_LABELS and any(TITLE in (s.text or "") for s in scan.strips):
        scan.read(lambda s: s.h < _UPRIGHT * s.length and not s.is_oblique)  # hard to read: leave nothing out
        labels = field_labels(scan)
    if len(labels) < _LEAST_LABELS:
        return False
    scan.refit_rectification([p.strip for p in labels])
    columns = find_columns(split_strips([s for s in scan.strips if s.text])).columns
    if columns:
        scan.read(lambda s: _may_hold_value(s, columns))
    return bool(columns)


def field_labels(scan: DocumentScan) -> list[TextSegment]:
    """The labels of fields read so far."""
    return [p for p in split_strips([s for s in scan.strips if s.text]) if p.key in _FIELDS]


def _usual_height(strips: Sequence[Strip]) -> float:
    """The height in pixels of most of the print, weighted by length; 0 for none."""
    level = sorted((s for s in strips if s.length > s.h), key=lambda s: s.h)
    if not level:
        return 0.0
    total = np.cumsum([s.length for s in level])
    return float(level[int(np.searchsorted(total, total[-1] / 2))].h)


def _recognise_prefixes(scan: DocumentScan, labels: Sequence[TextSegment], usual: float) -> None:
    """Read the beginnings of long strips; where it is a label whose value is returned, or the code, the whole strip.

    Not looked at: values right of a label that is known, and rows that go on with the block above them.
    """
    h = float(np.median([p.h for p in labels])) if labels else usual
    block: list[Strip] = []
    heads = 0
    for strip in scan.strips:
        if not _may_begin_with_label(strip, labels, h):
            continue
        if heads >= _MAX_PREFIXES or any(_goes_on(strip, above, h) for above in block):
            block.append(strip)
            continue
        heads += 1
        if not _read_label(scan, strip):
            block.append(strip)


def _may_begin_with_label(strip: Strip, labels: Sequence[TextSegment], h: float) -> bool:
    """Whether an unread strip has the height `h` of labels and is no value right of a known one."""
    least, most = _HEIGHTS
    if strip.text is not None or strip.is_oblique or strip.h > strip.length or not least < strip.h / h < most:
        return False
    least, most = _VALUE_BEGINS
    return not any(abs(p.v - strip.v) < _SAME_ROW * h and least * h < strip.u0 - p.u1 < most * h for p in labels)


def _goes_on(strip: Strip, above: Strip, h: float) -> bool:
    """Whether a strip is the next row of the block of print that another one belongs to."""
    least, most = _NEXT_ROW
    return least * h < strip.v - above.v < most * h and abs(strip.u0 - above.u0) < _SAME_LEFT * h


def _read_label(scan: DocumentScan, strip: Strip) -> bool:
    """Read a strip that begins with a label: whole where its value is returned, else the label alone. False for
    none."""
    text = scan.recognise_prefix(strip, _PREFIX_HEIGHTS)
    found = LABELS.match_prefix(text)
    if found is None:
        return False
    key, used = found
    if key.startswith("_"):
        scan.cut_to(
            strip, text[:used], _PREFIX_HEIGHTS * strip.h * printed_width_em(text[:used]) / printed_width_em(text)
        )
    else:
        scan.read(lambda s: s is strip)
    return True


def _in_column(strip: Strip, column: LabelColumn) -> bool:
    """Whether a strip may be a part of a label: inside the column, however small."""
    h = column.h
    reach = _BESIDE_COLUMN * h
    beside = column.labels[0].v - reach < strip.v < column.labels[-1].v + reach
    least, most = _PART_HEIGHTS
    return beside and column.left - h < strip.u0 and strip.u1 < column.right + h and least * h < strip.h < most * h


def _may_hold_value(strip: Strip, columns: Sequence[LabelColumn]) -> bool:
    """Whether a strip stands in the header, or where the value of a returned field may stand."""
    h = columns[0].h
    if any(_in_column(strip, c) for c in columns):
        return True
    if strip.is_oblique or strip.h < _LEAST_HEIGHT * h or strip.h > strip.length:
        return False
    top = min(c.labels[0].v for c in columns)
    highest, lowest = _HEADER
    if top - highest * h < strip.v < top - lowest * h:
        return min(c.left for c in columns) - _HEADER_LEFT * h < strip.u0
    return strip.h <= _MOST_HEIGHT * h and any(_beside_labels(strip, c, columns, h) for c in columns)


def _beside_labels(strip: Strip, column: LabelColumn, columns: Sequence[LabelColumn], h: float) -> bool:
    """Whether a strip stands where the values of a column do: on the row of a label, or not far below one."""
    edge = next_column_left(columns, column.right, column.h)
    if strip.u1 < column.left or strip.u0 > min(edge - _OFF_NEXT_COLUMN * h, column.right + _VALUE_REACH * h):
        return False
    above = [p for p in column.labels if p.v < strip.v + _OWN_ROW * h]
    if not above:
        return strip.v > column.labels[0].v - _LOST_ROWS * h
    return above[-1].key != "_scope" and strip.v - above[-1].v < _VALUE_ROWS * h
