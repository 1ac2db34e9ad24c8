"""Selects the strips of a licence to recognise: labels first, then the values that are returned.

The scope of business, the notes, the footer and the background are about half of the lines of an image and are not
returned. Thresholds are in text heights (of the strip, or of the labels) unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkgate.engines.document.chars import printed_width_em
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import UPRIGHT, DocumentScan, Strip
from inkgate.engines.licence.columns import LabelColumn, find_columns, next_column_left, split_strips
from inkgate.engines.licence.labels import LABELS, ORDER

TITLE = "营业执照"
_KNOWN_WORDS = frozenset(LABELS.fragments()) | {TITLE}
FIELDS = frozenset(ORDER)
_CLEAR_SCORE = 0.9  # draft score above which a label is not recognised again
_LEAST_LABELS = 2  # of fields: an image with fewer has no licence
_FEW_LABELS = 3  # of fields: with a title and fewer labels, all strips are recognised

_SHORT_STRIP_HEIGHTS = 7.5  # labels, titles, dates and parts of labels are shorter
_SPECK = 0.5  # height of a label over the median text height, at least

# Prefixes of long strips.
_PREFIX_HEIGHTS = 6.0  # length of the prefix in which a label is searched
_MAX_PREFIXES = 60  # strips
_HEIGHTS = (0.65, 1.8)  # height of a strip over that of the labels, between these
_SAME_ROW = 0.5  # between the centres of a label and of its value, less than
_VALUE_BEGINS = (-0.5, 8.0)  # from the end of a label to its value, between these
_NEXT_ROW = (0.5, 1.6)  # from a row of a text block down to the next one, between these
_SAME_LEFT = 1.5  # between the left edges of two rows of a block, less than

# Regions of values.
_BESIDE_COLUMN = 5.0  # above the first and below the last label: parts of labels
_PART_HEIGHTS = (0.4, 1.6)  # height of a part over that of the labels, between these
_MIN_HEIGHT, _MAX_HEIGHT = 0.55, 1.9  # of a value over that of the labels
_HEADER = (15.0, 0.7)  # above the topmost label, between these: the title, the code or the registration number
_HEADER_LEFT = 4.0  # left of the first column, at most
_OFF_NEXT_COLUMN = 0.5  # from the left edge of a value to the next column, at least
_VALUE_REACH = 28.0  # from the right edge of the column to a value, at most
_OWN_ROW = 0.8  # a label no further below a strip is on its row
_LOST_ROWS = 6.0  # above the first label of a column: rows whose labels were not read
_VALUE_ROWS = 8.0  # below a label: further rows of its value


def recognise_fields(scan: DocumentScan) -> bool:
    """Recognise labels and values and rectify the scan by the labels; False when there are fewer than two labels."""
    median_height = _median_height(scan.strips)
    scan.recognise_draft(
        lambda s: s.length < _SHORT_STRIP_HEIGHTS * s.h and s.h < UPRIGHT * s.length and s.h > _SPECK * median_height
    )
    scan.accept_drafts(lambda s: s.text in _KNOWN_WORDS and s.score > _CLEAR_SCORE)
    labels = field_labels(scan)
    if labels:
        scan.refit_rectification([p.strip for p in labels])
    _recognise_prefixes(scan, labels, median_height)
    labels = field_labels(scan)
    if len(labels) < _FEW_LABELS and any(TITLE in (s.text or "") for s in scan.strips):
        scan.recognise(lambda s: s.h < UPRIGHT * s.length and not s.is_oblique)
        labels = field_labels(scan)
    if len(labels) < _LEAST_LABELS:
        return False
    scan.refit_rectification([p.strip for p in labels])
    columns = find_columns(split_strips([s for s in scan.strips if s.text])).columns
    if columns:
        scan.recognise(lambda s: _may_hold_value(s, columns))
    return bool(columns)


def field_labels(scan: DocumentScan) -> list[TextSegment]:
    """The labels of fields recognised so far."""
    return [p for p in split_strips([s for s in scan.strips if s.text]) if p.key in FIELDS]


def _median_height(strips: Sequence[Strip]) -> float:
    """Median text height in pixels, weighted by length; 0 without strips."""
    level = sorted((s for s in strips if s.length > s.h), key=lambda s: s.h)
    if not level:
        return 0.0
    total = np.cumsum([s.length for s in level])
    return float(level[int(np.searchsorted(total, total[-1] / 2))].h)


def _recognise_prefixes(scan: DocumentScan, labels: Sequence[TextSegment], median_height: float) -> None:
    """Recognise the prefixes of long strips, and the whole strip where the prefix is the label of a returned value.

    Values right of a known label and further rows of a text block are left out.
    """
    h = float(np.median([p.h for p in labels])) if labels else median_height
    block: list[Strip] = []
    heads = 0
    for strip in scan.strips:
        if not _may_begin_with_label(strip, labels, h):
            continue
        if heads >= _MAX_PREFIXES or any(_continues_block(strip, above, h) for above in block):
            block.append(strip)
            continue
        heads += 1
        if not _recognise_label(scan, strip):
            block.append(strip)


def _may_begin_with_label(strip: Strip, labels: Sequence[TextSegment], h: float) -> bool:
    """Whether an unrecognised strip has the height `h` of labels and is no value right of a known label."""
    least, most = _HEIGHTS
    if strip.text is not None or strip.is_oblique or strip.h > strip.length or not least < strip.h / h < most:
        return False
    least, most = _VALUE_BEGINS
    return not any(abs(p.v - strip.v) < _SAME_ROW * h and least * h < strip.u0 - p.u1 < most * h for p in labels)


def _continues_block(strip: Strip, above: Strip, h: float) -> bool:
    """Whether a strip is the next row of the text block that `above` belongs to."""
    least, most = _NEXT_ROW
    return least * h < strip.v - above.v < most * h and abs(strip.u0 - above.u0) < _SAME_LEFT * h


def _recognise_label(scan: DocumentScan, strip: Strip) -> bool:
    """Recognise a strip that begins with a label: whole where its value is returned, else the label alone.

    Returns False when the strip does not begin with a label.
    """
    text = scan.recognise_prefix(strip, _PREFIX_HEIGHTS)
    found = LABELS.match_prefix(text)
    if found is None:
        return False
    key, used = found
    if key.startswith("_"):
        scan.truncate(
            strip, text[:used], _PREFIX_HEIGHTS * strip.h * printed_width_em(text[:used]) / printed_width_em(text)
        )
    else:
        scan.recognise(lambda s: s is strip)
    return True


def _in_column(strip: Strip, column: LabelColumn) -> bool:
    """Whether a strip may be part of a label: inside the column, at any height."""
    h = column.h
    reach = _BESIDE_COLUMN * h
    beside = column.labels[0].v - reach < strip.v < column.labels[-1].v + reach
    least, most = _PART_HEIGHTS
    return beside and column.left - h < strip.u0 and strip.u1 < column.right + h and least * h < strip.h < most * h


def _may_hold_value(strip: Strip, columns: Sequence[LabelColumn]) -> bool:
    """Whether a strip is in the header or in the region of a returned value."""
    h = columns[0].h
    if any(_in_column(strip, c) for c in columns):
        return True
    if strip.is_oblique or strip.h < _MIN_HEIGHT * h or strip.h > strip.length:
        return False
    top = min(c.labels[0].v for c in columns)
    highest, lowest = _HEADER
    if top - highest * h < strip.v < top - lowest * h:
        return min(c.left for c in columns) - _HEADER_LEFT * h < strip.u0
    return strip.h <= _MAX_HEIGHT * h and any(_in_value_column(strip, c, columns, h) for c in columns)


def _in_value_column(strip: Strip, column: LabelColumn, columns: Sequence[LabelColumn], h: float) -> bool:
    """Whether a strip is in the value column: on the row of a label, or a few rows below."""
    edge = next_column_left(columns, column.right, column.h)
    if strip.u1 < column.left or strip.u0 > min(edge - _OFF_NEXT_COLUMN * h, column.right + _VALUE_REACH * h):
        return False
    above = [p for p in column.labels if p.v < strip.v + _OWN_ROW * h]
    if not above:
        return strip.v > column.labels[0].v - _LOST_ROWS * h
    return above[-1].key != "_scope" and strip.v - above[-1].v < _VALUE_ROWS * h
