"""SVG plots of results: CPU cost against accuracy, and bars of one figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _MARGIN, _RADIUS = 640, 400, 60, 5
_LABEL_HEIGHT, _LETTER_WIDTH = 13, 6.5  # pixels of a label
Box = tuple[float, float, float, float]  # left, top, right, bottom
Place = tuple[float, float, str, float]  # x, baseline, anchor, left edge


class Axes:
    """Two logarithmic axes from the first to the last of their ticks. Values outside are drawn at the border."""

    def __init__(
        self, x_ticks: Sequence[float], y_ticks: Sequence[float], width: int = _WIDTH, height: int = _HEIGHT
    ) -> None:
        self.x_ticks, self.y_ticks, self.width, self.height = x_ticks, y_ticks, width, height

    def x(self, value: float) -> float:
        """The horizontal coordinate of a value."""
        return _along(value, self.x_ticks, _MARGIN, self.width - _MARGIN)

    def y(self, value: float) -> float:
        """The vertical coordinate of a value."""
        return _along(value, self.y_ticks, self.height - _MARGIN, _MARGIN)

    def start(self, x_title: str, y_title: str) -> str:
        """The opening tag of the drawing, its background, grid, ticks and titles."""
        left, right, top, bottom = _MARGIN, self.width - _MARGIN, _MARGIN, self.height - _MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'font-family="sans-serif" font-size="12"><rect width="{self.width}" height="{self.height}" fill="#fff"/>'
        ]
        for tick in self.x_ticks:
            parts.append(f'<path d="M{self.x(tick)} {top}V{bottom}" stroke="#ddd"/>')
            parts.append(f'<text x="{self.x(tick)}" y="{bottom + 18}" text-anchor="middle">{tick}</text>')
        for tick in self.y_ticks:
            parts.append(f'<path d="M{left} {self.y(tick)}H{right}" stroke="#ddd"/>')
            parts.append(f'<text x="{left - 8}" y="{self.y(tick) + 4}" text-anchor="end">{tick}</text>')
        parts.append(f'<text x="{self.width / 2}" y="{self.height - 14}" text-anchor="middle">{escape(x_title)}</text>')
        parts.append(f'<text x="{left}" y="{top - 22}">{escape(y_title)}</text>')
        return "\n".join(parts)


def frontier(rows: Mapping[str, Mapping[str, Any]], elsewhere: Mapping[str, tuple[float, float]] | None = None) -> str:
    """A plot of CPU seconds per image against errors per 100 characters, both axes logarithmic.

    One dot per engine with a known accuracy; the lower left is better. `elsewhere` holds CPU seconds and share of
    characters of engines measured on another machine: they get a ring and the word.
    """
    points = {
        name: (row["cpu_seconds_per_image"], row["accuracy"]["ALL"]["char"], True)
        for name, row in rows.items()
        if "accuracy" in row
    }
    points |= {f"{name} (elsewhere)": (*figures, False) for name, figures in (elsewhere or {}).items()}
    axes = Axes((0.2, 0.5, 1, 2, 5), (0.5, 1, 2, 5, 10, 20, 50))
    parts = [axes.start("CPU seconds per image", "errors per 100 characters")]
    placed = {
        name: (axes.x(cost), axes.y(max(100 * (1 - share), 0.1)), here) for name, (cost, share, here) in points.items()
    }
    labels = Labels(axes, [(x, y, _RADIUS) for x, y, _ in placed.values()])
    for name, (x, y, here) in placed.items():
        colour = "#0a7" if name.startswith("inkgate") else "#888"
        fill = colour if here else "#fff"
        parts.append(f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(labels.text(x, y, _RADIUS, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


class Labels:
    """Places the labels of dots so that they meet neither each other nor a dot, as far as there is room."""

    def __init__(self, axes: Axes, dots: Sequence[tuple[float, float, float]]) -> None:
        """`dots` are x, y and radius of every dot, in pixels."""
        self._axes = axes
        self._taken: list[Box] = [(x - r, y - r, x + r, y + r) for x, y, r in dots]

    def text(self, x: float, y: float, radius: float, label: str) -> str:
        """The label of one dot: right of it, left, above, below, or further down at the end of a line."""
        width, gap = len(label) * _LETTER_WIDTH, radius + 4
        places = [
            (x + gap, y + 4, "start", x + gap),
            (x - gap, y + 4, "end", x - gap - width),
            (x, y - gap, "middle", x - width / 2),
            (x, y + gap + _LABEL_HEIGHT - 4, "middle", x - width / 2),
        ]
        places += [(x + gap, y + 4 + step * _LABEL_HEIGHT, "start", x + gap) for step in range(1, 6)]
        at = next((place for place in places if self._is_free(place, width)), places[0])
        self._taken.append(_box(at, width))
        line = ""
        if at in places[4:]:
            line = f'<path d="M{x} {y + radius}L{round(at[3] - 2, 1)} {round(at[1] - 4, 1)}" stroke="#999"/>'
        return f'{line}<text x="{round(at[0], 1)}" y="{round(at[1], 1)}" text-anchor="{at[2]}">{escape(label)}</text>'

    def _is_free(self, place: Place, width: float) -> bool:
        left, top, right, bottom = _box(place, width)
        inside = left >= _MARGIN and right <= self._axes.width and bottom <= self._axes.height - _MARGIN
        return inside and not any(
            left < x2 and x1 < right and top < y2 and y1 < bottom for x1, y1, x2, y2 in self._taken
        )


def _box(place: Place, width: float) -> Box:
    _, baseline, _, left = place
    return left, baseline - _LABEL_HEIGHT + 3, left + width, baseline + 3


def bars(rows: Mapping[str, float], title: str) -> str:
    """A bar chart of one figure by system; `title` says which."""
    longest, height = max(rows.values()), 28 * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="12" y="20">{escape(title)}</text>'
    ]
    for at, (name, value) in enumerate(rows.items()):
        y, length = 34 + 28 * at, round((_WIDTH - 250) * value / longest, 1)
        colour = {"bare": "#05a", "embedded": "#0a7", "gateway": "#0a7"}.get(name.split()[0], "#888")
        parts.append(f'<text x="180" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="190" y="{y}" width="{length}" height="20" fill="{colour}"/>')
        parts.append(f'<text x="{196 + length}" y="{y + 14}">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _along(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    """The coordinate of a value on a logarithmic axis, clamped to the axis."""
    share = math.log(value / ticks[0]) / math.log(ticks[-1] / ticks[0])
    return round(start + (end - start) * min(max(share, 0.0), 1.0), 1)
