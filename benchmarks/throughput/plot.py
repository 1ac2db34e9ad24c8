"""SVG plots of results: CPU cost against accuracy, and bars of one figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _MARGIN = 640, 400, 60
_LABEL_HEIGHT = 13  # pixels between two labels


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
    axes = Axes((0.2, 0.5, 1, 2, 5), (1, 2, 5, 10, 20, 50))
    parts = [axes.start("CPU seconds per image", "errors per 100 characters")]
    labels: list[float] = []
    for name, (cost, share, here) in sorted(points.items(), key=lambda item: item[1][1]):
        x, y = axes.x(cost), axes.y(max(100 * (1 - share), 0.1))
        colour = "#0a7" if name.startswith("inkgate") else "#888"
        fill = colour if here else "#fff"
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>')
        at = free_height(y + 4, labels)
        right = x < axes.width - 3 * _MARGIN
        parts.append(
            f'<text x="{x + 9 if right else x - 9}" y="{at}" text-anchor="{"start" if right else "end"}">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def free_height(wanted: float, taken: list[float]) -> float:
    """The height nearest above `wanted` at which a label meets none of those at `taken`, which gets it added."""
    at = wanted
    while any(abs(at - other) < _LABEL_HEIGHT for other in taken):
        at = round(at - 1, 1)
    taken.append(at)
    return at


def bars(rows: Mapping[str, float], title: str = "images per second") -> str:
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
