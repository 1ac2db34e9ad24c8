"""Plates in the order in which they are answered."""

from __future__ import annotations

from collections.abc import Sequence

from inkgate.engines.types import Plate


def left_to_right(plates: Sequence[Plate]) -> list[Plate]:
    """Rows from top to bottom, each from left to right. Plates share a row when their middles lie within half a
    plate's height of the row's first one."""
    rest = sorted(plates, key=_middle)
    rows: list[list[Plate]] = []
    for plate in rest:
        if rows and _middle(plate) - _middle(rows[-1][0]) <= 0.5 * max(_height(plate), _height(rows[-1][0])):
            rows[-1].append(plate)
        else:
            rows.append([plate])
    return [plate for row in rows for plate in sorted(row, key=lambda one: sum(x for x, _ in one.quad))]


def _middle(plate: Plate) -> float:
    return sum(y for _, y in plate.quad) / 4


def _height(plate: Plate) -> float:
    ys = [y for _, y in plate.quad]
    return max(ys) - min(ys)
