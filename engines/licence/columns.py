"""The label columns of a licence.

Licences print one or two columns of label rows. Labels of two characters are spread over the width of the longest
(名　　称), so they arrive whole, in several boxes, with a part lost, or with their end glued to the value. The columns
are found from the labels that were read whole; the rest is recognised by where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from inkgate.engines.document.chars import width
from inkgate.engines.document.labels import Piece
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence.labels import LABELS, SPELLINGS

HEADERS = ("union_id", "regist_no")  # these stand by themselves above the columns
_OUTSIDE = (*HEADERS, "_serial", "_authority", "_issued")
_HEADS = {"名": "name", "类": "type", "住": "addr", "字": "name"}
_TAILS = {"称": "name", "型": "type", "所": "addr"}
_HAN = re.compile(r"[一-鿿]+$")
_MARKS = ":;.,·-"


@dataclass
class Column:
    """One column of labels: left and right edge, usual height, and the labels top to bottom."""

    left: float
    right: float
    h: float
    labels: list[Piece] = field(default_factory=list)

    def add(self, label: Piece) -> None:
        self.labels = sorted([*self.labels, label], key=lambda p: p.v)

    def holds(self, piece: Piece) -> bool:
        """Whether a piece begins inside the column, beside its labels."""
        beside = self.labels[0].v - 12 * self.h < piece.v < self.labels[-1].v + 12 * self.h
        right = max(self.right, *(label.u1 for label in self.labels))
        return beside and self.left - self.h < piece.u0 < right + 0.3 * self.h


def cut_pieces(strips: Sequence[Strip]) -> list[Piece]:
    """Strips cut at labels, labels that came in several boxes put together."""
    used: set[int] = set()
    pieces: list[Piece] = []
    for strip in sorted(strips, key=lambda s: s.u0):
        text = strip.text or ""
        if id(strip) in used or len(text) > 4 or LABELS.exact(text):
            continue
        if found := _spread(strip, [s for s in strips if id(s) not in used]):
            used.update(id(p) for p in found[1])
            pieces += _joined(*found)
    return pieces + [p for s in strips if id(s) not in used for p in LABELS.pieces(s)]


def _spread(strip: Strip, strips: Sequence[Strip]) -> tuple[tuple[str, int], list[Strip]] | None:
    """The label whose first characters are this strip and whose others follow in the next boxes of the row."""
    text, chain = strip.text or "", [strip]
    damaged: tuple[tuple[str, int], list[Strip]] | None = None  # one character lost or misread
    for _ in range(5):
        last = chain[-1]
        row = [
            s for s in strips
            if s.u0 >= last.u1 - 0.4 * last.h and s.u0 - last.u1 < 6 * last.h and abs(s.v - last.v) < 0.6 * last.h
            and 0.6 < s.h / last.h < 1.7
        ]  # fmt: skip
        if not row:
            break
        following = min(row, key=lambda s: s.u0)
        chain.append(following)
        text += following.text or ""
        found = LABELS.exact(text)
        if found and found[1] > len(text) - len(following.text or ""):
            return found, chain
        if len(chain) > 2 and len(text) < 5 and (near := LABELS.head(text)):
            damaged = near, list(chain)
        if len(following.text or "") > 3:
            break
    return damaged


def _joined(found: tuple[str, int], parts: Sequence[Strip]) -> list[Piece]:
    key, used = found
    first, last = parts[0], parts[-1]
    tail = used - sum(len(s.text or "") for s in parts[:-1])
    text = last.text or ""
    share = width(text[:tail]) / (width(text) or 1.0)
    edge = last.u0 + share * last.length
    label = Piece(key, "".join(s.text or "" for s in parts)[:used], first.u0, edge, last.v, last.h, first)
    rest = text[tail:].lstrip(_MARKS)
    return [label, Piece(None, rest, edge, last.u1, last.v, last.h, last, share, 1.0)] if rest else [label]


def find_columns(pieces: list[Piece]) -> list[Column]:
    """Columns by the left edges of whole labels; then `pieces` is changed so that parts of labels are labels too."""
    labels = sorted((p for p in pieces if p.key and p.key not in _OUTSIDE), key=lambda p: p.u0)
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
        long = [p for p in group if len(p.text) > 3] or group
        column = Column(
            float(np.median([p.u0 for p in group])),
            float(np.median([p.u1 for p in long])),
            float(np.median([p.h for p in long])),
        )
        column.labels = sorted(group, key=lambda p: p.v)
        columns.append(column)
    for column in columns:
        _complete(column, pieces, {label.key for c in columns for label in c.labels if label.key})
    return columns


def _complete(column: Column, pieces: list[Piece], known: set[str]) -> None:
    """Parts of labels inside the column become labels; what stands there and is no known label ends the value above."""
    inside = sorted((p for p in pieces if p.key is None and p.text and column.holds(p)), key=lambda p: (p.v, p.u0))
    while inside:
        row = [p for p in inside if abs(p.v - inside[0].v) < 0.5 * column.h]
        inside = [p for p in inside if p not in row]
        if any(abs(label.v - row[0].v) < 0.6 * column.h for label in column.labels):
            continue
        row.sort(key=lambda p: p.u0)
        text = "".join(p.text for p in row)
        part = _part(text, known) or _first_half(row, known)
        last = row[-1]
        if part is None:
            if last.u1 < column.right + 0.8 * column.h and _HAN.match(text):
                column.add(Piece("_unknown", text, row[0].u0, last.u1, last.v, last.h, last.strip))
                for p in row:
                    pieces.remove(p)
            continue
        known.add(part[0])
        _label_row(column, pieces, row, *part)


def _first_half(row: Sequence[Piece], known: set[str]) -> tuple[str, int] | None:
    """The label whose first half stands alone, the value or a misread second half behind it (类 T 有限责任公司)."""
    key = _HEADS.get(row[0].text)
    if key is None or key in known or len(row) < 2:
        return None
    return key, 1 + (len(row[1].text) == 1)


def _label_row(column: Column, pieces: list[Piece], row: Sequence[Piece], key: str, used: int) -> None:
    """The first `used` characters of a row become a label, the rest of the piece they end in a value."""
    first, edge = row[0], row[0].u1
    for piece in row:
        n = len(piece.text)
        if used >= n:
            used -= n
            pieces.remove(piece)
            edge = piece.u1
        elif used > 0:
            share = width(piece.text[:used]) / width(piece.text)
            edge = piece.u0 + share * (piece.u1 - piece.u0)
            start = piece.start + share * (piece.end - piece.start)
            rest = piece.text[used:].lstrip(_MARKS)
            pieces.remove(piece)
            pieces.append(Piece(None, rest, edge, piece.u1, piece.v, piece.h, piece.strip, start, piece.end))
            used = 0
        else:
            break
    label = Piece(key, "", first.u0, max(edge, first.u0 + first.h), first.v, first.h, first.strip)
    pieces.append(label)
    column.add(label)


def _part(text: str, known: set[str]) -> tuple[str, int] | None:
    """(key, characters) of the label that a damaged beginning of a row stands for, among those not found yet."""
    if (found := LABELS.head(text)) and found[0] not in known:
        return found
    for n in range(min(len(text), 6), 1, -1):
        part = text[:n]
        for key, spellings in SPELLINGS.items():
            if key in known or key in _OUTSIDE:
                continue
            for spelling in spellings:
                if len(spelling) > 2 and (spelling.endswith(part) or (n == len(text) and spelling.startswith(part))):
                    return key, n
    ends = text[0] + text[-1] if len(text) < 4 else ""  # 注 本: the middle under a seal
    for key, spellings in SPELLINGS.items():
        if key not in known and any(len(s) == 4 and s[0] + s[-1] == ends for s in spellings):
            return key, len(text)
    around = _only_label_around(text, known) if len(text) in (2, 3) else None
    if around:
        return around, len(text)
    half = _HEADS.get(text) or _TAILS.get(text[0])
    if half and half not in known:
        return half, 1
    first = _HEADS.get(text[0]) if len(text) < 4 and not _HAN.match(text[1:]) else None
    if first and first not in known:  # 类T: the second half misread
        return first, len(text)
    second = _TAILS.get(text[1:2])  # 美型: the first half misread
    return (second, 2) if second and second not in known else None


def _only_label_around(text: str, known: set[str]) -> str | None:
    """The key of the labels of four characters that a text is left of, when some behind the first are lost (注资)."""
    unknown = [(key, s) for key, all_ in SPELLINGS.items() if key not in known and key not in _OUTSIDE for s in all_]
    keys = {key for key, s in unknown if len(s) == 4 and s[0] == text[0] and _in_order(text, s)}
    return keys.pop() if len(keys) == 1 else None


def _in_order(part: str, whole: str) -> bool:
    """Whether the characters of `part` come in `whole` in this order."""
    rest = iter(whole)
    return all(sign in rest for sign in part)
