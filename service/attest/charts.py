"""The drawings of the page as inline SVG: bars of accuracy, what signs what, and calls of a chaos run. Pure.

Texts are escaped; colours come from the classes of the page's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 420, 34, 150  # pixels
BOX_WIDTH, BOX_HEIGHT, GAP = 190, 62, 44  # pixels
TIME_WIDTH, TIME_HEIGHT, TIME_TOP = 1000, 220, 62  # pixels; the names of kills stand above
TIME_LABELS = 4  # lines of names, so that neighbours do not cover each other
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


def time_line(
    calls: Sequence[tuple[float, float, bool]], kills: Sequence[tuple[float, float, str]], seconds: float, label: str
) -> str:
    """Calls as lines from their first attempt to their answer, below each other in the order of their beginning; kills
    as bands until the recovery, with their names above. Times are seconds of the run."""
    height, last = TIME_TOP + TIME_HEIGHT + 24, max(seconds, 1.0)
    scale = TIME_WIDTH / last
    parts = [
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {TIME_WIDTH + 20} {height}" class="time">',
    ]
    for number, (begin, end, name) in enumerate(kills):
        x, y = 10 + begin * scale, 14 + number % TIME_LABELS * 15
        parts.append(
            f'<rect class="kill" x="{x:.1f}" y="{TIME_TOP}" width="{max(2.0, (end - begin) * scale):.1f}" '
            f'height="{TIME_HEIGHT}"/><text x="{x:.1f}" y="{y}">{escape(name)}</text>'
        )
    for number, (begin, end, answered) in enumerate(sorted(calls)):
        level = TIME_TOP + 4 + number * (TIME_HEIGHT - 8) / max(1, len(calls) - 1)
        parts.append(
            f'<path class="{"call" if answered else "lost"}" d="M{10 + begin * scale:.1f} {level:.1f} '
            f'H{10 + max(end * scale, begin * scale + 1):.1f}"/>'
        )
    parts.append(f'<text x="10" y="{height - 6}">0 s</text>')
    parts.append(f'<text x="{TIME_WIDTH + 10}" y="{height - 6}" text-anchor="end">{last:.0f} s</text></svg>')
    return "".join(parts)


def short(value: str | None) -> str:
    """The beginning of a hash, for a drawing."""
    return f"{(value or '–').removeprefix('sm3:')[:LETTERS]}…" if value else "–"
