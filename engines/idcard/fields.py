"""From pieces of print to the fields of an identity card: which value belongs to which label."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from inkgate.engines.document.labels import Piece, join_row

NUMBER = re.compile(r"\d{17}[\dX]")
PERIOD = re.compile(r"(\d{4})[.,]?(\d{2})[.,]?(\d{2})-?((\d{4})[.,]?(\d{2})[.,]?(\d{2})|长期|长)")
HAN = re.compile(r"[㐀-鿿\U00020000-\U000323af]")
_SEX_AND_NATION = re.compile(r"[男女](?:民.|.族)(\S{1,4})$")
_LOOSE_PERIOD = re.compile(r"\d{4}\.\d{2}\.\d{2}-")
_AUTHORITY = re.compile(r"公安(分)?局|分局$|出入境")
_DIGITS = str.maketrans("OoQDIlSsBZzx", "00001155822X")
_PERSON = ("name", "sex", "nation", "birthday", "addr")

Look = Callable[[float, float, float, float], Piece | None]  # u0, u1, v, h: what stands there


@dataclass
class Found:
    """Raw texts by key, the pieces that each was taken from, and the labels that were read."""

    values: dict[str, str] = field(default_factory=dict)
    sources: dict[str, list[Piece]] = field(default_factory=dict)
    labels: dict[str, Piece] = field(default_factory=dict)

    def take(self, key: str, rows: Sequence[Sequence[Piece]], gap: float = 4.0) -> None:
        if rows and rows[0]:
            self.values[key] = "".join(join_row(row, gap) for row in rows)
            self.sources[key] = [p for row in rows for p in row]


def find(pieces: Sequence[Piece], look: Look | None = None) -> Found:
    """Every field that the pieces carry, as printed; no checks, no repairs.

    `look` is asked to read a place where a value must stand but no piece was found.
    """
    found = Found()
    for piece in pieces:
        if piece.key and piece.key not in found.labels:
            found.labels[piece.key] = piece
    _number(found, pieces)
    for key in ("name", "sex", "nation", "birthday", "validperiod"):
        if key in found.labels:
            found.take(key, [_same_row(found.labels[key], pieces)])
    _nation_beside_sex(found)
    _address(found, pieces)
    _authority(found, pieces)
    if "name" not in found.values:
        _name_by_place(found, pieces, look)
    if not PERIOD.search(found.values.get("validperiod", "")):
        _period_by_form(found, pieces, look)
    return found


def _same_row(label: Piece, pieces: Sequence[Piece]) -> list[Piece]:
    """Values right of a label on its row, up to the next label or a gap of ten heights."""
    right = sorted((p for p in pieces if p is not label and (p.u0 + p.u1) / 2 > label.u1), key=lambda p: p.u0)
    # Small print must stand right beside it: other scripts are printed above the row.
    row = [p for p in right if abs(p.v - label.v) < (0.75 if p.h > 0.7 * label.h else 0.4) * max(p.h, label.h)]
    out: list[Piece] = []
    for piece in row:
        if piece.key or piece.u0 - (out[-1].u1 if out else label.u1) > 10 * label.h:
            break
        if not piece.strip.across and 0.55 < piece.h / label.h < 2.4:
            out.append(piece)
    return out


def _nation_beside_sex(found: Found) -> None:
    """The nation when its label was misread and stands with it behind the sex (女民旅汉)."""
    match = _SEX_AND_NATION.search(found.values.get("sex", ""))
    if "nation" not in found.values and match:
        found.values["nation"], found.sources["nation"] = match[1], found.sources["sex"]


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
    label = found.labels.get("addr") or _address_row(found)
    if label is None:
        return
    floor = found.labels.get("idn") or next(iter(found.sources.get("idn", [])), None)
    first = _same_row(label, pieces)
    left = min((p.u0 for p in first), default=_value_left(found, label.u1 + label.h))
    h = first[0].h if first else label.h
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.v):
        inside = label.v - 1.1 * h < piece.v and (piece.v < floor.v - 0.9 * h if floor and floor.v > label.v else True)
        if piece.key or not inside or piece.strip.across or not 0.6 < piece.h / h < 1.6:
            continue
        if piece.u0 < left - 2.0 * h or not (HAN.search(piece.text) or re.search(r"\d", piece.text)):
            continue
        if rows and abs(piece.v - rows[-1][0].v) < 0.6 * h:
            rows[-1].append(piece)
        elif (not rows or piece.v - rows[-1][0].v < 2.6 * h) and abs(piece.u0 - left) < 3 * h:
            rows.append([piece])
    found.take("addr", rows, 1.5)


def _address_row(found: Found) -> Piece | None:
    """Where the label of the address must stand when it was not read: a row below the date of birth."""
    birth, top = found.labels.get("birthday"), found.labels.get("sex") or found.labels.get("nation")
    if birth is None or top is None or "idn" not in found.sources:
        return None
    pitch = birth.v - top.v
    if not 0.8 * birth.h < pitch < 3 * birth.h:
        return None
    return replace(birth, key="addr", text="", v=birth.v + 1.15 * pitch)


def _authority(found: Found, pieces: Sequence[Piece]) -> None:
    """The issuing authority: on the label's row, or in two rows around it that begin at one place."""
    label, below = found.labels.get("org"), found.labels.get("validperiod")
    if label is None:
        found.take("org", [[p for p in pieces if p.key is None and _AUTHORITY.search(p.text)][:1]])
        return
    floor = below.v - 0.7 * below.h if below and below.v > label.v else label.v + 2 * label.h
    near = [
        p for p in pieces
        if p.key is None and label.v - 1.5 * label.h < p.v < floor and p.u0 > label.u1 - label.h
        and not p.strip.across and HAN.search(p.text) and 0.6 < p.h / label.h < 2 and p.u0 - label.u1 < 8 * label.h
    ]  # fmt: skip
    near.sort(key=lambda p: p.u0)
    rows = [[p] for p in near if abs(p.u0 - near[0].u0) < 1.5 * label.h]
    for piece in near[len(rows) :]:
        home = next((row for row in rows if abs(row[0].v - piece.v) < 0.5 * label.h), None)
        if home and piece.u0 - home[-1].u1 < 1.5 * label.h:
            home.append(piece)
    found.take("org", sorted(rows, key=lambda row: row[0].v))


def _value_left(found: Found, default: float) -> float:
    """Where values begin on the portrait side."""
    lefts = [found.sources[k][0].u0 for k in ("birthday", "addr", "name", "sex") if k in found.sources]
    return sorted(lefts)[len(lefts) // 2] if lefts else default


def _name_by_place(found: Found, pieces: Sequence[Piece], look: Look | None) -> None:
    """The name when its label was not read: one row above sex, in the column of values."""
    rows = {k: found.labels[k].v for k in ("sex", "nation", "birthday") if k in found.labels}
    top = rows.get("sex", rows.get("nation"))
    if top is None or "birthday" not in rows:
        return
    pitch = rows["birthday"] - top
    label = found.labels["birthday"]
    if not 0.8 * label.h < pitch < 6 * label.h:
        return
    left = _value_left(found, label.u1 + label.h)
    for piece in pieces:
        if piece.key is None and not piece.strip.across and 0.6 * pitch < top - piece.v < 1.4 * pitch:
            text = piece.text.lstrip("姓名")
            if abs(piece.u0 - left) < 3.5 * label.h and len(text) > 1 and all(HAN.match(c) or c == "·" for c in text):
                found.values["name"], found.sources["name"] = text, [piece]
                return
    if look and (seen := look(left - 0.4 * label.h, left + 9 * label.h, top - pitch, 1.5 * label.h)):
        found.take("name", [[seen]])


def _period_by_form(found: Found, pieces: Sequence[Piece], look: Look | None) -> None:
    """The validity by its own form, or by looking right of its label."""
    for piece in pieces:
        if piece.key is None and _LOOSE_PERIOD.search(piece.text):
            found.take("validperiod", [[piece]])
            return
    label, above = found.labels.get("validperiod"), found.sources.get("org")
    if label and look:
        left = above[0].u0 if above else label.u1 + label.h
        seen = look(left - 0.5 * label.h, left + 10 * label.h, label.v, 1.3 * label.h)
        if seen and PERIOD.search(seen.text):
            found.take("validperiod", [[seen]])
