"""Groups label anchors by the card side that they are printed on.

An image may contain several cards, and other documents with the same labels. A label belongs to a side by its position:
the labels of the portrait side stand above the number, left-aligned and in a fixed order; those of the emblem side are
two left-aligned rows. Coordinates are those of `document.scan.Strip`; thresholds are in text heights of the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inkgate.engines.document.labels import TextSegment, join_labels
from inkgate.engines.idcard.fields import to_number
from inkgate.engines.idcard.labels import OTHER_CARDS

_COLUMN = ("addr", "birthday", "sex", "name")  # the label column of the portrait side, from the number upwards

# The portrait side.
_ALIGNED = 2.5  # between the left edges of labels of the column, less than
_EQUALLY_ALIGNED = 1.0  # between the left edges of two labels of one key in the column, less than
_LEFT_OF_NUMBER = (2.0, 14.0)  # from the left edge of a label to that of a number without a label, between these
_HEIGHT_OF_SIDE = 20.0  # from a label down to the number, at most
_MIN_STEP = 0.5  # between two labels of the column, at least
_MAX_NAME_PITCHES = 1.8  # of the pitch from sex to birthday: from the name down to the sex, at most
_NATION_ROW = 0.9  # between the centres of the labels of sex and nation, less than
_NATION_RIGHT = (2.0, 20.0)  # from the label column to the label of the nation, between these
_NUMBER_ROW = 1.0  # between the centres of the number and of its label, less than
_ISSUED_BELOW, _ISSUED_RIGHT = 10.0, 3.0  # authority and validity of a temporary card: below and right of the number

# The emblem side.
_PERIOD_BELOW = (0.8, 7.0)  # from the label of the authority down to that of the validity period, between these
_OTHER_ROWS = 14.0  # above and below: portrait labels in the same column are those of another document

# Bounds of a side around its labels.
_ABOVE, _BELOW, _LEFT, _RIGHT = 2.5, 1.5, 2.0, 30.0
_ABOVE_AUTHORITY = 3.0
_TITLE_ABOVE = 12.0  # the title of another document
_BESIDE = 12.0  # from the left edge of a side to that of the next one on its right, more than
_MIN_OTHER_LABELS = 2  # labels of other documents inside the bounds of a side that is none of a card


@dataclass(frozen=True, slots=True, eq=False)
class CardSide:
    """One side of a card: `note` as in the contract, its label anchors by key, and the bounds of its text in pixels.

    `foot` is the lowest segment: the number or its label, or the label of the validity period. `h` is the median height
    of the labels.
    """

    note: str
    labels: Mapping[str, TextSegment]
    foot: TextSegment
    h: float
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, segment: TextSegment, above: float = 0.0) -> bool:
        """Whether the left edge of a segment is inside the bounds, or up to `above` text heights above them."""
        return self.left < segment.u0 < self.right and self.top - above * self.h < segment.v < self.bottom


def find_sides(segments: Sequence[TextSegment]) -> list[CardSide]:
    """The sides of cards in an image in reading order; sides of other documents are left out."""
    labels = [s for s in segments if s.key]
    portraits = _portrait_sides(segments, labels)
    used = {id(label) for side in portraits for label in side.labels.values()}
    emblems = _emblem_sides([label for label in labels if id(label) not in used])
    sides = _without_overlap([*portraits, *emblems])
    return [side for side in sides if not _is_other_document(side, segments)]


def side_segments(segments: Sequence[TextSegment], sides: Sequence[CardSide]) -> list[TextSegment]:
    """The segments inside `sides`; labels of fields that are not label anchors of a side are parts of values."""
    anchors = {id(label) for side in sides for label in side.labels.values()}
    inside = [s for s in segments if id(s) in anchors or any(side.holds(s) for side in sides)]
    return join_labels(inside, lambda label: id(label) not in anchors and not (label.key or "").startswith("_"))


def _portrait_sides(segments: Sequence[TextSegment], labels: Sequence[TextSegment]) -> list[CardSide]:
    feet = [label for label in labels if label.key == "idn"]
    numbers = (s for s in segments if s.key is None and to_number(s.text) and not s.strip.is_oblique)
    feet += [s for s in numbers if not any(abs(s.v - f.v) < _NUMBER_ROW * s.h and f.u0 < s.u0 for f in feet)]
    sides: list[CardSide] = []
    for foot in sorted(feet, key=lambda f: f.v):
        ceiling = foot.v - _HEIGHT_OF_SIDE * foot.h
        for above in sides:
            if above.left < foot.u0 < above.left + _BESIDE * above.h:
                ceiling = max(ceiling, above.foot.v)
        if found := _column_above(foot, [label for label in labels if ceiling < label.v < foot.v]):
            sides.append(_portrait_side(foot, found, labels))
    return sides


def _column_above(foot: TextSegment, labels: Sequence[TextSegment]) -> dict[str, TextSegment]:
    """The labels of the portrait side above a number or its label, each the lowest of its key in the fixed order."""
    found: dict[str, TextSegment] = {}
    floor, h = foot.v, foot.h
    for key in _COLUMN:
        above = [s for s in labels if s.key == key and s.v < floor - _MIN_STEP * h]
        options = _in_column(above, foot, found)
        if key == "name" and {"sex", "birthday"} <= found.keys():
            pitch = found["birthday"].v - found["sex"].v
            options = [s for s in options if found["sex"].v - s.v < _MAX_NAME_PITCHES * pitch]
        if options:
            found[key] = max(options, key=lambda s: s.v)
            floor = found[key].v
    if found:
        _add_nation(found, labels)
    return found


def _in_column(labels: Sequence[TextSegment], foot: TextSegment, found: Mapping[str, TextSegment]) -> list[TextSegment]:
    """The labels that are aligned, or nearly as well as the best one, with the label column of which `found` is
    known."""
    column = next(iter(found.values()), foot if foot.key else None)
    if column is None:
        least, most = _LEFT_OF_NUMBER
        return [s for s in labels if least * foot.h < foot.u0 - s.u0 < most * foot.h]
    best = min((abs(s.u0 - column.u0) for s in labels), default=0.0)
    within = min(_ALIGNED, best / foot.h + _EQUALLY_ALIGNED) * foot.h
    return [s for s in labels if abs(s.u0 - column.u0) < within]


def _add_nation(found: dict[str, TextSegment], labels: Sequence[TextSegment]) -> None:
    column = next(iter(found.values()))
    least, most = (column.u0 + d * column.h for d in _NATION_RIGHT)
    options = [s for s in labels if s.key == "nation" and least < s.u0 < most]
    if row := found.get("sex"):
        options = [s for s in options if abs(s.v - row.v) < _NATION_ROW * s.h]
    elif below := found.get("birthday"):
        options = [s for s in options if s.v < below.v - _MIN_STEP * s.h]
    else:
        options = []
    if options:
        found["nation"] = max(options, key=lambda s: s.v)


def _portrait_side(foot: TextSegment, found: dict[str, TextSegment], labels: Sequence[TextSegment]) -> CardSide:
    h = float(np.median([s.h for s in (*found.values(), foot)]))
    if foot.key:
        found = {**found, "idn": foot}
    left, bottom = min(s.u0 for s in found.values()), foot.v + _BELOW * h
    for key in ("org", "validperiod"):  # a temporary card has both below its number
        below = (s for s in labels if s.key == key and 0 < s.v - foot.v < _ISSUED_BELOW * h)
        if label := next((s for s in below if _ISSUED_RIGHT * h < s.u0 - left < _RIGHT * h), None):
            found[key] = label
            bottom = max(bottom, label.v + _BELOW * h)
    top = min(s.v for s in found.values()) - _ABOVE * h
    if "name" not in found and {"sex", "birthday"} <= found.keys():
        top -= _MAX_NAME_PITCHES * (found["birthday"].v - found["sex"].v)
    return CardSide("back", found, foot, h, left - _LEFT * h, top, left + _RIGHT * h, bottom)


def _emblem_sides(labels: Sequence[TextSegment]) -> list[CardSide]:
    """Pairs of the labels of authority and validity period, without pairs in a column of portrait labels."""
    sides = []
    for label in (s for s in labels if s.key == "org"):
        h = label.h
        least, most = (label.v + d * h for d in _PERIOD_BELOW)
        below = [s for s in labels if s.key == "validperiod" and least < s.v < most]
        aligned = [s for s in below if abs(s.u0 - label.u0) < _ALIGNED * h]
        column = [s for s in labels if abs(s.u0 - label.u0) < _ALIGNED * h and abs(s.v - label.v) < _OTHER_ROWS * h]
        if not aligned or any(s.key in _COLUMN or s.key == "_other" for s in column):
            continue
        period = min(aligned, key=lambda s: s.v)
        top, bottom = label.v - _ABOVE_AUTHORITY * h, period.v + 2 * _BELOW * h
        found = {"org": label, "validperiod": period}
        sides.append(CardSide("front", found, period, h, label.u0 - _LEFT * h, top, label.u0 + _RIGHT * h, bottom))
    return sides


def _without_overlap(sides: Sequence[CardSide]) -> list[CardSide]:
    """The sides in reading order, the right bound of each in front of the next side on its right."""
    out = []
    for side in sorted(sides, key=lambda s: (s.top, s.left)):
        beside = [s.left for s in sides if s.top < side.bottom and side.top < s.bottom]
        edges = [left for left in beside if left > side.left + _BESIDE * side.h]
        out.append(replace(side, right=min([side.right, *edges])))
    return out


def _is_other_document(side: CardSide, segments: Sequence[TextSegment]) -> bool:
    """Whether a side has labels or, above it, a title that no card of the family has."""
    near = [s for s in segments if side.holds(s, _TITLE_ABOVE)]
    others = {s.text for s in near if s.key == "_other" and side.holds(s)}
    if len(others) >= _MIN_OTHER_LABELS:
        return True
    outside = (s for s in near if s.key is None and (s.v < side.top + _ABOVE * side.h or not side.holds(s)))
    return any(word in s.text for s in outside for word in OTHER_CARDS)
