"""The drawings of the page as inline SVG: bars of accuracy, and what signs what. Pure.

Texts are escaped; colours come from the classes of the page's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 420, 34, 150  # pixels
BOX_WIDTH, BOX_HEIGHT, GAP = 190, 62, 44  # pixels
LETTERS = 16  # of a hash that are drawn


def bars(rows: Sequence[tuple[str, float, str]], label: str) -> str:
    """Bars of rates 0..1, each with its name and a note at the end; `label` is what a screen reader says."""
    height = ROW_HEIGHT * len(rows) + 8
    width = LABEL_WIDTH + BAR_WIDTH + 190
    parts = [f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" class="bars">']
    for number, (name, rate, note) in enumerate(rows):
        y = 4 + number * ROW_HEIGHT
        filled = round(BAR_WIDTH * max(0.0, min(1.0, rate)))
        parts.append(
            f'<text x="{LABEL_WIDTH - 10}" y="{y + 20}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="track" x="{LABEL_WIDTH}" y="{y + 5}" width="{BAR_WIDTH}" height="20" rx="3"/>'
            f'<rect class="bar" x="{LABEL_WIDTH}" y="{y + 5}" width="{filled}" height="20" rx="3"/>'
            f'<text x="{LABEL_WIDTH + BAR_WIDTH + 10}" y="{y + 20}">{escape(note)}</text>'
        )
    return "".join([*parts, "</svg>"])


def chain(boxes: Sequence[tuple[str, str, str]], label: str) -> str:
    """Boxes from left to right with arrows; each has a title, a second line and a hash or number."""
    width = len(boxes) * BOX_WIDTH + (len(boxes) - 1) * GAP + 4
    parts = [f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {BOX_HEIGHT + 8}" class="chain">']
    for number, (title, line, value) in enumerate(boxes):
        x = 2 + number * (BOX_WIDTH + GAP)
        middle = x + BOX_WIDTH // 2
        parts.append(
            f'<rect class="box" x="{x}" y="2" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
            f'<text x="{middle}" y="22" text-anchor="middle" class="strong">{escape(title)}</text>'
            f'<text x="{middle}" y="39" text-anchor="middle">{escape(line)}</text>'
            f'<text x="{middle}" y="56" text-anchor="middle" class="hash">{escape(value)}</text>'
        )
        if number:
            y, begin, end = 2 + BOX_HEIGHT // 2, x - GAP + 4, x - 4
            parts.append(
                f'<path class="arrow" d="M{begin} {y} H{end} M{end - 7} {y - 5} L{end} {y} L{end - 7} {y + 5}"/>'
            )
    return "".join([*parts, "</svg>"])


def short(value: str | None) -> str:
    """The beginning of a hash, for a drawing."""
    return f"{(value or '–').removeprefix('sm3:')[:LETTERS]}…" if value else "–"
