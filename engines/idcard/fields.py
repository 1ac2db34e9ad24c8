"""From pieces of print to the fields of an identity card: which value belongs to which label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engines.document.labels import Piece, join_row
from engines.idcard.labels import LABELS

NUMBER = re.compile(r"\d{17}[\dX]")
PERIOD = re.compile(r"(\d{4})[.,]?(\d{2})[.,]?(\d{2})-?((\d{4})[.,]?(\d{2})[.,]?(\d{2})|长期|长)")
_LOOSE_PERIOD = re.compile(r"\d{4}\.\d{2}\.\d{2}-")
_HAN = re.compile(r"[㐀-鿿\U00020000-\U000323af]")
_DIGITS = str.maketrans("OoQDIlSsBZzx", "00001155822X")


@dataclass
class Found:
    """Raw texts by key, and the pieces that each was taken from."""

    values: dict[str, str] = field(default_factory=dict)
    sources: dict[str, list[Piece]] = field(default_factory=dict)
    labels: dict[str, Piece] = field(default_factory=dict)


def find(pieces: Sequence[Piece]) -> Found:
    """Every field that the pieces carry, as printed; no checks, no repairs."""
    found = Found()
    for piece in pieces:
        if piece.key and piece.key not in found.labels:
            found.labels[piece.key] = piece
    _number(found, pieces)
    for key in ("name", "sex", "nation", "birthday", "validperiod"):
        if key in found.labels:
            _take(found, key, _same_row(found.labels[key], pieces))
    _address(found, pieces)
    _authority(found, pieces)
    if not PERIOD.search(found.values.get("validperiod", "")):
        for piece in pieces:
            if piece.key is None and _LOOSE_PERIOD.search(piece.text):
                _take(found, "validperiod", [piece])
    return found


def _take(found: Found, key: str, pieces: Sequence[Piece], gap: float = 4.0) -> None:
    if pieces:
        found.values[key] = join_row(pieces, gap)
        found.sources[key] = list(pieces)


def _same_row(label: Piece, pieces: Sequence[Piece]) -> list[Piece]:
    """Values right of a label on its row, up to the next label."""
    row = [p for p in pieces if p is not label and abs(p.v - label.v) < 0.75 * max(p.h, label.h)]
    row = sorted((p for p in row if (p.u0 + p.u1) / 2 > label.u1), key=lambda p: p.u0)
    out = []
    for piece in row:
        if piece.key:
            break
        if abs(piece.strip.tilt) < 9 and 0.55 < piece.h / label.h < 2.4:
            out.append(piece)
    return out


def _number(found: Found, pieces: Sequence[Piece]) -> None:
    best: tuple[int, float] | None = None
    label = found.labels.get("idn")
    for piece in pieces:
        if piece.key:
            continue
        row = [piece]
        text = piece.text.translate(_DIGITS)
        on_row = label is not None and abs(piece.v - label.v) < piece.h and piece.u1 > label.u1
        if label and on_row:
            row = _same_row(label, pieces) or row
            text = join_row(row, 4.0).translate(_DIGITS)
        match = NUMBER.search(text)
        digits = "".join(c for c in text if c.isdigit() or c == "X")
        rank = (2 if match else 1, piece.strip.score)
        if (match or (on_row and len(digits) > 14)) and (best is None or rank > best):
            best = rank
            found.values["idn"] = match.group() if match else digits
            found.sources["idn"] = row


def _address(found: Found, pieces: Sequence[Piece]) -> None:
    label = found.labels.get("addr")
    if label is None:
        return
    floor = found.labels.get("idn") or next(iter(found.sources.get("idn", [])), None)
    first = _same_row(label, pieces)
    left = min((p.u0 for p in first), default=label.u1 + label.h)
    h = first[0].h if first else label.h
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.v):
        inside = label.v - 1.1 * h < piece.v and (piece.v < floor.v - 0.9 * h if floor and floor.v > label.v else True)
        if piece.key or not inside or abs(piece.strip.tilt) > 9 or not 0.6 < piece.h / h < 1.6:
            continue
        if piece.u0 < left - 2.0 * h or not (_HAN.search(piece.text) or re.search(r"\d", piece.text)):
            continue
        if rows and abs(piece.v - rows[-1][0].v) < 0.6 * h:
            rows[-1].append(piece)
        elif (not rows or piece.v - rows[-1][0].v < 2.6 * h) and abs(piece.u0 - left) < 3 * h:
            rows.append([piece])
    if rows:
        found.values["addr"] = "".join(join_row(row, 1.5) for row in rows)
        found.sources["addr"] = [p for row in rows for p in row]


def _authority(found: Found, pieces: Sequence[Piece]) -> None:
    label, below = found.labels.get("org"), found.labels.get("validperiod")
    near: list[Piece] = []
    if label:
        floor = below.v - 0.7 * below.h if below and below.v > label.v else label.v + 2 * label.h
        ceiling = label.v - 1.5 * label.h
        near = [
            p for p in pieces
            if p.key is None and ceiling < p.v < floor and p.u0 > label.u1 - label.h and abs(p.strip.tilt) < 9
            and _HAN.search(p.text) and 0.6 < p.h / label.h < 2 and p.u0 - label.u1 < 8 * label.h
        ]  # fmt: skip
    if not near:
        near = [p for p in pieces if p.key is None and re.search(r"公安(分)?局|分局$|出入境", p.text)][:1]
    near.sort(key=lambda p: (round(p.v / max(p.h, 1)), p.u0))
    if near:
        found.values["org"] = "".join(p.text for p in near)
        found.sources["org"] = near


__all__ = ["LABELS", "NUMBER", "PERIOD", "Found", "find"]
