"""The value of each label of a licence: its own row, and the rows below it in the column of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from inkgate.engines.document.labels import Piece
from inkgate.engines.document.scan import Strip
from inkgate.engines.licence.columns import HEADERS, Column, cut_pieces, find_columns
from inkgate.engines.licence.labels import LABELS

Look = Callable[[float, float, float, float], Piece | None]  # u0, u1, v, h: what stands there

_CAPITAL = re.compile(r"^(人民币)?[\d.,零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+万?(元|美元|万).*")
# The form of a value, by which a row whose label was lost is known.
_FORMS = {
    "operation_period": re.compile(r".*(年.*月.*日.*至|至.*年.*月.*日|^长期$)"),
    "establish_date": re.compile(r"^\S{4}年\S{1,2}月\S{1,3}日$"),
    "type": re.compile(
        r"^(个体工商户|.*(有限|股份|合伙|独资)\S*(公司|企业)?"
        r"\(.*(独资|控股|上市|合资|合作|经营).*\)|有限责任公司|.*分公司)$"
    ),
    "regist_capital": _CAPITAL,
    "real_capital": _CAPITAL,  # the second one
    "name": re.compile(r".{3,}(公司|店|厂|部|行|馆|中心|合作社|合伙\)|事务所|集团|餐厅|超市)$"),
    "addr": re.compile(r".*[省市区县旗镇乡].*([号室村组楼层幢栋]|\d)$"),
}


_DATE = r"[\d〇零一二三四五六七八九十OoQ○]+年[\d元一二三四五六七八九十]+月[\d一二三四五六七八九十]+日?"
# Values that are worth a second look: how they look when they broke off, and when they did not.
_BROKEN = {
    "operation_period": re.compile(rf"^自?{_DATE}至?"),
    "union_id": re.compile(r"[0-9A-Z]{12,17}"),
    "regist_no": re.compile(r"\d{10,14}"),
}
_WHOLE = {
    "operation_period": re.compile(rf"{_DATE}.?({_DATE}|长期)"),
    "union_id": re.compile(r"[0-9A-Z]{18}"),
    "regist_no": re.compile(r"\d{15}|^\d{13}$"),
}
_OFFICE = re.compile(r"(局|委员会|管理处|审批局|工商所)$")
_UNTIL = re.compile(rf"至({_DATE}|长期)")
_NEXT_ROW = (1.45, 1.8)  # heights from one row of a period to the next
_REACH = 24  # heights: the longest of them
_MOST_GAPS = 2
_ABOVE = 8  # heights: three rows whose labels were lost, as under a seal
_CODE_LENGTH = 14  # heights that eighteen letters and digits take at most
_BELOW = (1.05, 1.3)  # heights from the credit code's label to the code below it
_LAST = "本期限所额"  # the last characters of labels
_BESIDE = ("operation_period", "establish_date", "regist_capital")


@dataclass
class Layout:
    columns: list[Column]
    values: dict[str, list[list[Piece]]]  # key -> rows of pieces
    authority: str = ""  # the one that registers, where it is printed and not only in its seal

    def text(self, key: str) -> str:
        """The value of a key, rows joined."""
        return "".join("".join(p.text for p in row) for row in self.values.get(key, []))

    @property
    def keys(self) -> set[str]:
        """The keys whose labels stand in a column."""
        return {label.key for column in self.columns for label in column.labels if label.key}


def lay_out(strips: Sequence[Strip], look: Look | None = None) -> Layout:
    """Columns and values from strips that have been read; `look` reads a place where a value is missing."""
    usable = [s for s in strips if s.text and not s.across and s.length > 0.4 * s.h]
    pieces = cut_pieces(usable)
    columns = find_columns(pieces)
    if look:
        for column in columns:
            _missing_rows(column, columns, pieces, look)
    values: dict[str, list[list[Piece]]] = {}
    taken: set[int] = set()
    for column in columns:
        edge = min((c.left for c in columns if c.left > column.right + column.h), default=float("inf"))
        left = _value_left(column, edge, pieces)
        for label, below in zip(column.labels, [*column.labels[1:], None], strict=True):
            if not label.key or label.key in values:
                continue
            rows = _rows(label, column, (left, edge), below.v if below else float("inf"), pieces)
            if not rows and look and not label.key.startswith("_") and (seen := _look(label, column, left, edge, look)):
                rows = [[seen]]
            if rows:
                values[label.key] = rows
                taken.update(id(p) for row in rows for p in row)
        _orphans(column, left, pieces, values, taken)
    _damaged_rows(columns, pieces, values, taken)
    for label in pieces:
        if label.key in HEADERS and label.key not in values and (rows := _header_value(label, pieces)):
            values[label.key] = rows
    if look:
        _look_again(columns, pieces, values, look)
        _look_for_code(pieces, values, look)
    return Layout(columns, values, _authority(pieces))


def _missing_rows(column: Column, columns: Sequence[Column], pieces: list[Piece], look: Look) -> None:
    """Rows of a column that were not detected at all are looked for where the form has them: beside the row that begins
    the other column, in a gap of two rows, below the last row."""
    h, labels = column.h, column.labels
    steps = [b.v - a.v for a, b in pairwise(labels) if b.v - a.v > 0.8 * h]
    if not steps:
        return
    pitch = min(steps)
    edge = min((c.left for c in columns if c.left > column.right + h), default=float("inf"))
    others = [p.v for c in columns if c is not column for p in c.labels if 0.7 < (labels[0].v - p.v) / pitch < 1.4]
    gaps = [(a.v + b.v) / 2 for a, b in pairwise(labels) if 1.7 < (b.v - a.v) / pitch < 2.4]
    below = [labels[-1].v + pitch] if labels[-1].key != "_scope" else []
    for v in [*others[:1], *gaps[:_MOST_GAPS], *below]:
        if any(abs(p.v - v) < 0.6 * h and column.left - h < p.u0 < column.right + 8 * h for p in pieces):
            continue
        seen = look(column.left - 0.5 * h, min(column.left + _REACH * h, edge - h), v, 1.3 * h)
        found = LABELS.pieces(seen.strip) if seen else []
        if found and found[0].key and found[0].key not in {p.key for p in pieces}:
            pieces += found
            column.add(found[0])


def _look_again(
    columns: Sequence[Column], pieces: Iterable[Piece], values: dict[str, list[list[Piece]]], look: Look
) -> None:
    """Values that break off, as under a seal: the row is read again in one piece, further to the right, and what was
    there before is kept unless the new reading has the whole form."""
    for key, whole in _WHOLE.items():
        rows = values.get(key, [])
        text = "".join(p.text for row in rows for p in row)
        if len(rows) != 1 or not _BROKEN[key].search(text) or whole.search(text):
            continue
        first = rows[0][0]
        edge = min((c.left for c in columns if c.left > first.u1 + first.h), default=float("inf"))
        left = first.u0 - 0.2 * first.h
        right = min(left + _REACH * first.h, edge - first.h)
        seen = look(left, right, first.v, 1.2 * first.h)
        if seen and whole.search(seen.text):
            values[key] = [[seen]]
        elif key == "operation_period":
            below = (look(left, right, first.v + down * first.h, 1.2 * first.h) for down in _NEXT_ROW)
            if end := next((p for p in below if p and _UNTIL.match(p.text)), None):
                values[key] = [*rows, [end]]


def _look_for_code(pieces: Iterable[Piece], values: dict[str, list[list[Piece]]], look: Look) -> None:
    """A credit code of which detection missed the whole or an end, as under a watermark: below its label, from the
    label's left edge, else right of it."""
    label = next((p for p in pieces if p.key == "union_id"), None)
    whole = _WHOLE["union_id"]
    if label is None or any(whole.search("".join(p.text for p in row)) for row in values.get("union_id", [])):
        return
    h = label.h
    below = [(label.u0 - 0.3 * h, label.v + down * h) for down in _BELOW]
    for left, v in [*below, (label.u1, label.v)]:
        seen = look(left, left + _CODE_LENGTH * h, v, 1.1 * h)
        if seen and (found := whole.search(seen.text)) and sum(c.isdigit() for c in found.group()) > 7:
            values["union_id"] = [[seen]]
            return


def _value_left(column: Column, edge: float, pieces: Iterable[Piece]) -> float | None:
    """Where values begin: the median of those that were detected apart from their labels."""
    h = column.h
    lefts = [
        p.u0 for p in pieces
        if p.key is None and p.start == 0 and column.right - 0.8 * h < p.u0 < min(column.right + 7 * h, edge - h)
        and any(abs(p.v - label.v) < 0.6 * h for label in column.labels)
    ]  # fmt: skip
    return float(np.median(lefts)) if lefts else None


def _rows(
    label: Piece, column: Column, span: tuple[float | None, float], floor: float, pieces: Iterable[Piece]
) -> list[list[Piece]]:
    h, (left, edge) = column.h, span
    start = max(label.u1, column.right) - 0.8 * h
    candidates = sorted(
        (
            p for p in pieces
            if p.key is None and p.u1 > start + h and p.u0 < edge - 0.5 * h
            and 0.55 < p.h / h < (1.9 if abs(p.v - label.v) < 0.5 * h else 1.6)
            and label.v - 0.6 * h < p.v < floor - 0.55 * h
            and (p.u0 > start or (p.strip is label.strip and p.start >= label.end) or p.u0 >= label.u1 - 0.5 * h)
        ),
        key=lambda p: (p.v, p.u0),
    )  # fmt: skip
    first = _run([p for p in candidates if abs(p.v - label.v) < 0.62 * max(h, p.h)], 2.5)
    if not first or first[0].u0 > (left or start) + 8 * h:
        return []
    rows, begin = [first], left if left is not None else first[0].u0
    spacings = [b.v - a.v for a, b in zip(column.labels, column.labels[1:], strict=False) if b.v - a.v > 0.8 * h]
    nearer = 0.85 * min(spacings, default=float("inf"))  # rows of one value stand closer than rows of the form
    for piece in candidates:
        above = rows[-1][0]
        down = piece.v - above.v
        if down < 0.62 * h or any(piece is p for row in rows for p in row):
            continue
        spread = piece.text.startswith("至") or above.text.endswith("至") or above.text.startswith("自")
        if down > (3.2 * h if spread else min(1.6 * max(h, above.h), nearer)):
            break
        if piece.u0 < start or abs(piece.u0 - begin) > (2.5 if left is not None else 5) * h:
            continue
        rows.append(_run([p for p in candidates if abs(p.v - piece.v) < 0.5 * h and p.u0 >= piece.u0], 2.0))
    return rows


def _look(label: Piece, column: Column, left: float | None, edge: float, look: Look) -> Piece | None:
    """A value that detection missed, right of its label."""
    begin = (left if left is not None else column.right + column.h) - 0.4 * column.h
    return look(begin, min(begin + 18 * column.h, edge - column.h), label.v, 1.25 * column.h)


def _orphans(
    column: Column, left: float | None, pieces: Iterable[Piece], values: dict[str, list[list[Piece]]], taken: set[int]
) -> None:
    """Rows in the column of values that no label claims, told by their form."""
    if left is None:
        return
    h, top, bottom = column.h, column.labels[0].v, column.labels[-1].v
    for piece in pieces:
        if piece.key or id(piece) in taken or abs(piece.u0 - left) > 1.5 * h or not 0.7 < piece.h / h < 1.4:
            continue
        if top - _ABOVE * h < piece.v < bottom + 4 * h:
            key = next((k for k, form in _FORMS.items() if k not in values and form.match(piece.text)), None)
            if key:
                values[key] = [[piece]]
                taken.add(id(piece))


def _damaged_rows(
    columns: Sequence[Column], pieces: Iterable[Piece], values: dict[str, list[list[Piece]]], taken: set[int]
) -> None:
    """Rows beside the columns of whose label only the last character is left (期2012年08月20日), told by their form."""
    if not columns:
        return
    first = columns[0]
    top, bottom = first.labels[0].v - 2 * first.h, first.labels[-1].v + 2 * first.h
    for piece in pieces:
        if piece.key or id(piece) in taken or not top < piece.v < bottom or not 0.7 < piece.h / first.h < 1.4:
            continue
        text = piece.text[1:] if piece.text[0] in _LAST else piece.text
        key = next((k for k in _BESIDE if k not in values and _FORMS[k].match(text)), None)
        if key and piece.u0 > first.right:
            values[key] = [[replace(piece, text=text)]]
            taken.add(id(piece))


def _authority(pieces: Sequence[Piece]) -> str:
    """The name of an office that is printed right of its label or below it, "" for none."""
    label = next((p for p in pieces if p.key == "_authority"), None)
    near = (
        p for p in pieces
        if label and p.key is None and _OFFICE.search(p.text) and p.u1 > label.u0
        and abs(p.u0 - label.u0) < 16 * label.h and -0.6 * label.h < p.v - label.v < 3 * label.h
    )  # fmt: skip
    return next((p.text for p in near), "")


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
