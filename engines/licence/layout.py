"""The label columns of a licence and the value of each label.

Licences print one or two columns of label rows. Labels of two characters are spread over the width of the longest
(名　　称), so they arrive whole, in two boxes, or with their second half glued to the value. The columns are found from
the labels that were read whole; halves are then recognised by where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engines.document.chars import width
from engines.document.labels import Piece
from engines.document.scan import Strip
from engines.licence.labels import LABELS

_HEADS = {"名": "name", "类": "type", "住": "addr", "字": "name"}
_TAILS = {"称": "name", "型": "type", "所": "addr"}
_HEADERS = ("union_id", "regist_no")  # these stand by themselves above the columns
_MAX_TILT = 9.0  # degrees: what lies across the rows is a stamp or a watermark


@dataclass
class Column:
    """One column of labels: left and right edge, and the labels top to bottom (one of each key)."""

    left: float
    right: float
    labels: list[Piece] = field(default_factory=list)


@dataclass
class Layout:
    columns: list[Column]
    values: dict[str, list[list[Piece]]]  # key -> rows of pieces
    loose: list[Piece]  # what no label claims

    def text(self, key: str) -> str:
        """The value of a key, rows joined."""
        return "".join("".join(p.text for p in row) for row in self.values.get(key, []))

    def first_row(self, key: str) -> str:
        rows = self.values.get(key, [])
        return "".join(p.text for p in rows[0]) if rows else ""


def lay_out(strips: Sequence[Strip]) -> Layout:
    """Columns and values from strips that have been read."""
    usable = [s for s in strips if s.text and abs(s.tilt) < _MAX_TILT and s.length > 0.4 * s.h]
    pieces = _pieces(usable)
    columns = _columns(pieces)
    _halves(pieces, columns)
    values: dict[str, list[list[Piece]]] = {}
    taken: set[int] = set()
    for column in columns:
        edge = min((c.left for c in columns if c.left > column.right + 20), default=float("inf"))
        for j, label in enumerate(column.labels):
            if label.key in values:
                continue
            floor = column.labels[j + 1].v if j + 1 < len(column.labels) else float("inf")
            rows = _rows(label, column, edge, floor, pieces)
            if label.key and rows:
                values[label.key] = rows
                taken.update(id(p) for row in rows for p in row)
    for label in pieces:
        if label.key in _HEADERS and label.key not in values and (rows := _header_value(label, pieces)):
            values[label.key] = rows
    loose = [p for p in pieces if p.key is None and id(p) not in taken]
    return Layout(columns, values, loose)


def _pieces(strips: Sequence[Strip]) -> list[Piece]:
    """Strips cut at labels, labels that came in several boxes put together."""
    used: set[int] = set()
    pieces: list[Piece] = []
    for strip in strips:
        if id(strip) in used:
            continue
        text = strip.text or ""
        if len(text) <= 4 and LABELS.head(text) is None and (found := _spread(strip, strips)):
            key, parts = found
            used.update(id(p) for p in parts)
            pieces += _joined(key, parts)
    pieces += [p for s in strips if id(s) not in used for p in LABELS.pieces(s)]
    return pieces


def _spread(strip: Strip, strips: Sequence[Strip]) -> tuple[tuple[str, int], list[Strip]] | None:
    """The label whose first characters are this strip and whose others follow in the next boxes of the row."""
    text, chain = strip.text or "", [strip]
    for _ in range(5):
        last = chain[-1]
        row = [
            s for s in strips
            if s.u0 >= last.u1 - 0.4 * last.h and s.u0 - last.u1 < 6 * last.h and abs(s.v - last.v) < 0.6 * last.h
            and 0.6 < s.h / last.h < 1.7
        ]  # fmt: skip
        if not row:
            return None
        following = min(row, key=lambda s: s.u0)
        chain.append(following)
        text += following.text or ""
        found = LABELS.exact(text)
        if found and found[1] > len(text) - len(following.text or ""):
            return found, chain
        if len(following.text or "") > 3:
            return None
    return None


def _joined(found: tuple[str, int], parts: Sequence[Strip]) -> list[Piece]:
    key, used = found
    first, last = parts[0], parts[-1]
    tail = used - sum(len(s.text or "") for s in parts[:-1])
    text = last.text or ""
    share = width(text[:tail]) / (width(text) or 1.0)
    edge = last.u0 + share * last.length
    label = Piece(key, "".join(s.text or "" for s in parts)[:used], first.u0, edge, last.v, last.h, first)
    rest = text[tail:].lstrip(":;.,")
    if not rest:
        return [label]
    return [label, Piece(None, rest, edge, last.u1, last.v, last.h, last, share, 1.0)]


def _columns(pieces: Sequence[Piece]) -> list[Column]:
    """Columns of labels by their left edge."""
    labels = [p for p in pieces if p.key and p.key not in (*_HEADERS, "_serial", "_authority", "_issued")]
    labels.sort(key=lambda p: p.u0)
    groups: list[list[Piece]] = []
    for label in labels:
        if groups and label.u0 - groups[-1][-1].u0 < 1.6 * label.h:
            groups[-1].append(label)
        else:
            groups.append([label])
    columns = []
    for group in groups:
        if len(group) == 1 and len(group[0].text) < 4 and len(groups) > 1:
            continue  # 名称 inside a value
        right = float(np.median([p.u1 for p in group if len(p.text) > 3] or [p.u1 for p in group]))
        left = float(np.median([p.u0 for p in group]))
        labels_down = sorted(group, key=lambda p: p.v)
        columns.append(Column(left, right, labels_down))
    return columns


def _halves(pieces: list[Piece], columns: Sequence[Column]) -> None:
    """Half labels inside a label column become labels of their own."""
    known = {label.key for c in columns for label in c.labels}
    for piece in list(pieces):
        if piece.key or not piece.text:
            continue
        for column in columns:
            inside = column.left - piece.h < piece.u0 < column.right + 0.3 * piece.h
            head, tail = _HEADS.get(piece.text), _TAILS.get(piece.text[0])
            key = head or tail
            if not inside or not key or key in known:
                continue
            right = max(piece.u0 + piece.h, column.right)
            label = Piece(key, piece.text[0], piece.u0, right, piece.v, piece.h, piece.strip)
            rest = piece.text[1:]
            if rest:
                share = width(piece.text[0]) / width(piece.text)
                edge = piece.u0 + share * (piece.u1 - piece.u0)
                label.u1 = edge
                pieces.append(Piece(None, rest, edge, piece.u1, piece.v, piece.h, piece.strip, share, 1.0))
            pieces.remove(piece)
            pieces.append(label)
            column.labels = sorted([*column.labels, label], key=lambda p: p.v)
            known.add(key)
            break


def _rows(label: Piece, column: Column, edge: float, floor: float, pieces: Iterable[Piece]) -> list[list[Piece]]:
    """The value's rows: the label's own row, then rows below it in the value column until the next label."""
    h = label.h
    start = max(label.u1, column.right if label.u1 < column.right else label.u1) - 0.8 * h
    candidates = sorted(
        (
            p for p in pieces
            if p.key is None and p.u1 > start + h and p.u0 < edge - 0.5 * h and 0.5 < p.h / h < 1.7
            and label.v - 0.6 * h < p.v < floor - 0.55 * h
            and (p.u0 > start or (p.strip is label.strip and p.start >= label.end))
        ),
        key=lambda p: (p.v, p.u0),
    )  # fmt: skip
    first = _run([p for p in candidates if abs(p.v - label.v) < 0.62 * max(h, p.h)], 2.5)
    if not first:
        return []
    rows, left = [first], first[0].u0
    for piece in candidates:
        above = rows[-1][0]
        down = piece.v - above.v
        if down < 0.62 * h or any(piece is p for row in rows for p in row):
            continue
        limit = 3.2 if piece.text.startswith("至") or above.text.endswith("至") else 2.0
        if down > limit * max(h, above.h):
            break
        if piece.u0 < start or abs(piece.u0 - left) > 5 * h:
            continue
        rows.append(_run([p for p in candidates if abs(p.v - piece.v) < 0.5 * h and p.u0 >= piece.u0], 2.0))
    return rows


def _header_value(label: Piece, pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The value right of a header, or below it."""
    h = label.h
    values = [p for p in pieces if p.key is None and p.u1 > label.u0 and p.u0 < label.u1 + 8 * h]
    beside = _run([p for p in values if abs(p.v - label.v) < 0.7 * h and p.u1 > label.u1 + h], 8.0)
    below = _run([p for p in values if 0.7 * h < p.v - label.v < 2.4 * h and p.u0 < label.u1], 8.0)
    return [row for row in (beside, below) if sum(c.isdigit() for p in row for c in p.text) > 5][:1]


def _run(row: Sequence[Piece], gap: float) -> list[Piece]:
    """The pieces of a row from the left up to the first wide gap."""
    out: list[Piece] = []
    for piece in sorted(row, key=lambda p: p.u0):
        if out and piece.u0 - out[-1].u1 > gap * piece.h:
            break
        out.append(piece)
    return out


CODE = re.compile(r"[0-9A-Z]{18}")
