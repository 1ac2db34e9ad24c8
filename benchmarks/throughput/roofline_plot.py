"""The roofline plot: operations per second against operations per byte, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.throughput.plot import Axes, Labels

_X_TICKS, _Y_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500), (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_COLOURS = {"float32": "#05a", "int8": "#a50", "bfloat16": "#70a"}


def roofline(peaks: Mapping[str, float], networks: Mapping[str, Mapping[str, Any]]) -> str:
    """One roof for each precision and one dot for each network, whose area grows with its work per image.

    `peaks` are 10^9 operations per second by precision, and `copied` 10^9 bytes per second; `networks` as in
    roofline.json.
    """
    axes = Axes(_X_TICKS, _Y_TICKS, width=760, height=440)
    parts = [axes.start("operations per byte", "10⁹ operations per CPU second")]
    bandwidth = peaks["copied"]
    for name, peak in peaks.items():
        if name == "copied":
            continue
        ridge, left = peak / bandwidth, max(_X_TICKS[0], _Y_TICKS[0] / bandwidth)
        points = [(left, left * bandwidth), (ridge, peak), (_X_TICKS[-1], peak)]
        path = " ".join(f"{axes.x(x)},{axes.y(y)}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS[name]}" stroke-width="1.5"/>')
        label = f"{name} {peak:.0f}"
        parts.append(
            f'<text x="{axes.x(_X_TICKS[-1])}" y="{axes.y(peak) - 6}" text-anchor="end" fill="{_COLOURS[name]}">'
            f"{escape(label)}</text>"
        )
    dots = {
        name: (
            axes.x(row["flop_per_byte"]),
            axes.y(row["gflop_per_second"]),
            round(3 + 2 * row["gflop_per_image"] ** 0.5, 1),
        )
        for name, row in networks.items()
    }
    labels = Labels(axes, list(dots.values()))
    for name, (x, y, radius) in dots.items():
        row = networks[name]
        text = f"{name}: {row['gflop_per_image']:.2f} GFLOP, {row['share_of_peak']:.0%} of peak"
        parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{_COLOURS[row["precision"]]}" fill-opacity=".7"/>')
        parts.append(labels.text(x, y, radius, text))
    return "\n".join([*parts, "</svg>"]) + "\n"
