"""Reading order: rows from the top, each from the left."""

from __future__ import annotations

from collections.abc import Sequence

from engines.types import Line


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """Lines in rows from the top; a row holds lines whose middles differ by less than half the lesser height."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=_middle):
        if rows and abs(_middle(line) - _middle(rows[-1][-1])) < 0.5 * min(_height(line), _height(rows[-1][-1])):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: min(x for x, _ in line.quad))]


def _middle(line: Line) -> float:
    return sum(y for _, y in line.quad) / 4


def _height(line: Line) -> float:
    ys = [y for _, y in line.quad]
    return max(ys) - min(ys)
