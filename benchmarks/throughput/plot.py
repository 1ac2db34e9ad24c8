"""SVG plots of results: CPU cost against accuracy, and bars of images per second."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _MARGIN = 640, 400, 60


def frontier(rows: dict[str, dict[str, Any]]) -> str:
    """A plot of CPU seconds per image against errors per 100 characters, both axes logarithmic.

    One dot per engine with a known accuracy; the lower left is better.
    """
    points = {
        name: (row["cpu_seconds_per_image"], max(100 * (1 - row["accuracy"]["ALL"]["char"]), 0.1))
        for name, row in rows.items()
        if "accuracy" in row
    }
    x_ticks, y_ticks = (0.2, 0.5, 1, 2, 5), (1, 2, 5, 10, 20)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
    ]
    for tick in x_ticks:
        x = _along(tick, x_ticks, _MARGIN, _WIDTH - _MARGIN)
        parts.append(f'<path d="M{x} {_MARGIN}V{_HEIGHT - _MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{_HEIGHT - _MARGIN + 18}" text-anchor="middle">{tick}</text>')
    for tick in y_ticks:
        y = _along(tick, y_ticks, _HEIGHT - _MARGIN, _MARGIN)
        parts.append(f'<path d="M{_MARGIN} {y}H{_WIDTH - _MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{_MARGIN - 8}" y="{y + 4}" text-anchor="end">{tick}</text>')
    for name, (cost, errors) in points.items():
        x = _along(cost, x_ticks, _MARGIN, _WIDTH - _MARGIN)
        y = _along(errors, y_ticks, _HEIGHT - _MARGIN, _MARGIN)
        colour = "#0a7" if name.startswith("inkgate") else "#888"
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{x + 9}" y="{y + 4}">{escape(name)}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle">CPU seconds per image</text>')
    parts.append(f'<text x="{_MARGIN}" y="{_MARGIN - 22}">errors per 100 characters</text></svg>')
    return "\n".join(parts) + "\n"


def bars(rows: dict[str, float]) -> str:
    """A bar chart of images per second by system."""
    longest, height = max(rows.values()), 28 * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
        '<text x="12" y="20">images per second</text>'
    ]
    for at, (name, value) in enumerate(rows.items()):
        y, length = 34 + 28 * at, round((_WIDTH - 250) * value / longest, 1)
        colour = {"bare": "#05a", "embedded": "#0a7", "gateway": "#0a7"}.get(name.split()[0], "#888")
        parts.append(f'<text x="180" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="190" y="{y}" width="{length}" height="20" fill="{colour}"/>')
        parts.append(f'<text x="{196 + length}" y="{y + 14}">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _along(value: float, ticks: tuple[float, ...], start: float, end: float) -> float:
    """The coordinate of a value on a logarithmic axis, clamped to the axis."""
    share = math.log(value / ticks[0]) / math.log(ticks[-1] / ticks[0])
    return round(start + (end - start) * min(max(share, 0.0), 1.0), 1)
