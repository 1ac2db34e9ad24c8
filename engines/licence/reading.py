"""Which strips of a licence are read: labels first, then what stands beside those whose values are returned.

The scope of business, the notes, the footer and the desk are about half of a picture's lines and none of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkgate.engines.document.chars import width
from inkgate.engines.document.labels import Piece
from inkgate.engines.document.scan import Scan, Strip
from inkgate.engines.licence.columns import Column, cut_pieces, find_columns
from inkgate.engines.licence.labels import LABELS, ORDER

TITLE = "营业执照"
_SHORT = 7.5  # heights: labels, titles, dates, half labels
_HEAD = 6.0  # heights read of a longer strip to see whether it begins with a label
_MOST_HEADS = 60
_CLEAR = 0.9  # a label that the quick network reads this surely is not read again
_PRINTED = frozenset(LABELS.parts()) | {TITLE}
_FIELDS = frozenset(ORDER)


def read_fields(scan: Scan) -> bool:
    """Read what the fields need and level the scan by the labels; False when there are not two labels."""
    usual = _usual_height(scan.strips)
    scan.skim(lambda s: s.length < _SHORT * s.h and s.h < 1.5 * s.length and s.h > 0.5 * usual)
    for strip in scan.strips:
        strip.sure = strip.text in _PRINTED and strip.score > _CLEAR
    labels = field_labels(scan)
    if labels:
        scan.refit([p.strip for p in labels])
    _read_heads(scan, labels, usual)
    labels = field_labels(scan)
    if len(labels) < 3 and any(TITLE in (s.text or "") for s in scan.strips):
        scan.read(lambda s: s.h < 1.5 * s.length and not s.across)  # hard to read: leave nothing out
        labels = field_labels(scan)
    if len(labels) < 2:
        return False
    scan.refit([p.strip for p in labels])
    columns = find_columns(cut_pieces([s for s in scan.strips if s.text]))
    if columns:
        scan.read(lambda s: _wanted(s, columns))
    return bool(columns)


def field_labels(scan: Scan) -> list[Piece]:
    """The labels of fields read so far."""
    return [p for p in cut_pieces([s for s in scan.strips if s.text]) if p.key in _FIELDS]


def _usual_height(strips: Sequence[Strip]) -> float:
    """The height of most of the print, weighted by length."""
    level = sorted((s for s in strips if s.length > s.h), key=lambda s: s.h)
    if not level:
        return 0.0
    total = np.cumsum([s.length for s in level])
    return float(level[int(np.searchsorted(total, total[-1] / 2))].h)


def _read_heads(scan: Scan, labels: Sequence[Piece], usual: float) -> None:
    """Read the beginnings of long strips; where it is a label whose value is returned, or the code, the whole strip.

    Not looked at: values right of a label that is known, and rows that go on with the block above them.
    """
    h = float(np.median([p.h for p in labels])) if labels else usual
    block: list[Strip] = []
    heads = 0
    for strip in scan.strips:
        if strip.text is not None or strip.across or not 0.65 < strip.h / h < 1.8 or strip.h > strip.length:
            continue
        if any(abs(p.v - strip.v) < 0.5 * h and -0.5 * h < strip.u0 - p.u1 < 8 * h for p in labels):
            continue
        above = [b for b in block if 0.5 * h < strip.v - b.v < 1.6 * h and abs(strip.u0 - b.u0) < 1.5 * h]
        if above or heads >= _MOST_HEADS:
            block.append(strip)
            continue
        heads += 1
        text = scan.head(strip, _HEAD)
        found = LABELS.head(text)
        if found and (found[0] in _FIELDS or not found[0].startswith("_")) and found[0] != "_scope":
            scan.read(lambda s, this=strip: s is this)  # type: ignore[misc]
        elif found:
            scan.shorten(strip, _HEAD * strip.h * width(text[: found[1]]) / width(text))
            strip.text, strip.sure = text[: found[1]], True  # a label whose value nobody asks for
        else:
            block.append(strip)


def _in_column(strip: Strip, column: Column) -> bool:
    """Whether a strip may be a part of a label: inside the column, however small."""
    h = column.h
    beside = column.labels[0].v - 5 * h < strip.v < column.labels[-1].v + 5 * h
    return beside and column.left - h < strip.u0 and strip.u1 < column.right + h and 0.4 * h < strip.h < 1.6 * h


def _wanted(strip: Strip, columns: Sequence[Column]) -> bool:
    """Whether a strip stands in the header, or where the value of a returned field may stand."""
    top = min(c.labels[0].v for c in columns)
    h = columns[0].h
    if any(_in_column(strip, c) for c in columns):
        return True
    if strip.across or strip.h < 0.55 * h or strip.h > strip.length:
        return False
    if top - 15 * h < strip.v < top - 0.7 * h:  # the title, the code or the registration number
        return min(c.left for c in columns) - 4 * h < strip.u0
    if strip.h > 1.9 * h:
        return False
    for column in columns:
        edge = min((c.left for c in columns if c.left > column.right + column.h), default=float("inf"))
        if strip.u1 < column.left or strip.u0 > min(edge - 0.5 * h, column.right + 28 * h):
            continue
        above = [p for p in column.labels if p.v < strip.v + 0.8 * h]
        if not above and strip.v > column.labels[0].v - 6 * h:
            return True
        if above and above[-1].key != "_scope" and strip.v - above[-1].v < 8 * h:
            return True
    return False
