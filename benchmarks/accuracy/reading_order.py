"""Reading order on drawn layouts with order labels: `python -m benchmarks.accuracy.reading_order [--out FILE]`.

No recogniser runs: the layouts are quadrilaterals with text, tilted or seen from the side. Prints, per layout, the
share of neighbouring lines that are in the right order and of pages wholly right, for the engine and for a plain
recursive XY-cut (Nagy and Seth 1984) that cuts at the widest gap whatever lies on its sides.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median

import numpy as np

from benchmarks.accuracy.field import wording
from benchmarks.machine import facts
from inkgate.engines.text.order import reading_order
from inkgate.engines.types import Line

Layout = Callable[[Random], list[Line]]
_HEIGHT = 26.0  # of a line
_PITCH = 36.0
_MIN_CUT_HEIGHTS = 0.5  # of the median line height: the least gap at which the plain XY-cut cuts


def box(text: str, left: float, top: float, width: float | None = None, height: float = _HEIGHT) -> Line:
    """A level line; its width follows from its text where none is given."""
    right = left + (width if width is not None else 0.9 * height * sum(1 if ord(c) > 255 else 0.55 for c in text))
    return Line(((left, top), (right, top), (right, top + height), (left, top + height)), text, 1.0)


def prose(random: Random, left: float, top: float, rows: int, characters: int = 16) -> list[Line]:
    """A column of lines; the last line of each paragraph is shorter."""
    lines = []
    for row in range(rows):
        text = (random.choice(wording.SENTENCES) * 3)[:characters]
        if random.random() < 0.2:
            text = text[: random.randint(3, characters - 1)]
        lines.append(box(text, left, top + _PITCH * row))
    return lines


def two_columns(random: Random) -> list[Line]:
    return [*prose(random, 0, 0, random.randint(8, 20)), *prose(random, 460, 0, random.randint(8, 20))]


def newspaper(random: Random) -> list[Line]:
    columns = random.randint(3, 4)
    rows = random.randint(6, 18)
    title = box(random.choice(wording.HEADLINES), columns * 230 - 100, -90, height=52)
    return [title, *(line for at in range(columns) for line in prose(random, 460 * at, 0, rows))]


def unequal_columns(random: Random) -> list[Line]:
    narrow, rows = random.randint(7, 9), random.randint(8, 16)
    return [
        *prose(random, 0, random.randint(0, 3) * _PITCH, rows, narrow),
        *prose(random, narrow * 26 + 50, 0, rows + 3, 28),
    ]


def headline_over_two_of_three(random: Random) -> list[Line]:
    rows = random.randint(6, 12)
    title = box("标题横跨左边两栏的文章", 0, 0, 860, 46)
    below = [*prose(random, 0, 80, rows), *prose(random, 460, 80, rows)]
    return [title, *below, *prose(random, 920, 0, rows + 2)]


def two_articles(random: Random) -> list[Line]:
    lines: list[Line] = []
    top = 0.0
    for _ in range(2):
        rows = random.randint(5, 9)
        lines.append(box("横跨两栏的大标题文字", 0, top, 860, 46))
        lines += [*prose(random, 0, top + 80, rows), *prose(random, 460, top + 80, rows)]
        top += 80 + _PITCH * rows + 50
    return lines


def table(random: Random) -> list[Line]:
    rows = random.randint(6, 16)
    return [
        box(text, left, 44 * row)
        for row in range(rows)
        for left, text in zip(
            (0, 240, 420, 700, 960),
            (
                random.choice(wording.NAMES),
                str(random.randint(60, 100)),
                f"2026-05-{10 + row}",
                f"{random.randint(900, 9999)}.50",
                random.choice(("合格", "良好", "优秀", "不合格")),
            ),
            strict=True,
        )
    ]


def form(random: Random) -> list[Line]:
    labels = ("姓名", "出生日期", "部门", "职务", "联系电话", "通讯地址", "学历", "专业方向")
    lines = []
    for row in range(random.randint(4, 7)):
        for column in range(2):
            value = random.choice((*wording.NAMES, *wording.NOTICES, f"{random.randint(10**6, 10**8)}"))
            lines += [
                box(random.choice(labels), 520 * column, 60 * row),
                box(value, 520 * column + 150, 60 * row + random.uniform(-4, 4)),
            ]
    return lines


def receipt(random: Random) -> list[Line]:
    lines = [box("东门便利店", 120, 0, height=40)]
    for row in range(random.randint(4, 12)):
        name = random.choice(("鲜牛奶", "全麦面包", "苹果", "洗衣液浓缩型", "矿泉水", "鸡蛋"))
        lines += [
            box(name, 0, 70 + 44 * row),
            box(f"x{row}", 240, 70 + 44 * row),
            box(f"{row + 3}.50", 380, 70 + 44 * row),
        ]
    return lines


LAYOUTS: tuple[Layout, ...] = (
    two_columns, newspaper, unequal_columns, headline_over_two_of_three, two_articles, table, form, receipt,
)  # fmt: skip


def seen(lines: Sequence[Line], random: Random) -> list[Line]:
    """The lines as a camera sees them: tilted by up to 3 degrees, from up to a quarter nearer at one side."""
    points = np.array([line.quad for line in lines])
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    tilt, away = math.radians(random.uniform(-3, 3)), random.uniform(-0.25, 0.25) / float(high[0] - low[0])
    cos, sin = math.cos(tilt), math.sin(tilt)
    centred = points - (low + high) / 2
    scale = 1 + away * centred[..., :1]
    turned = centred / scale @ np.array([[cos, sin], [-sin, cos]])
    turned += np.array([[random.gauss(0, 0.7), random.gauss(0, 0.7)] for _ in range(4 * len(lines))]).reshape(-1, 4, 2)
    return [
        Line(tuple((float(x), float(y)) for x, y in quad), line.text, 1.0)  # type: ignore[arg-type]
        for quad, line in zip(turned + 1000, lines, strict=True)
    ]


def plain_xy_cut(lines: Sequence[Line]) -> list[Line]:
    """Recursive cuts at the widest gap, in the image's own axes; a part without a gap is read in rows."""
    if len(lines) < 2:
        return list(lines)
    boxes = np.array([[np.min(line.quad, axis=0), np.max(line.quad, axis=0)] for line in lines])
    least = _MIN_CUT_HEIGHTS * median(float(high[1] - low[1]) for low, high in boxes)
    widest, parts = least, None
    for axis in (0, 1):
        ranked = np.argsort(boxes[:, 0, axis])
        end = boxes[ranked[0], 1, axis]
        for at in range(1, len(ranked)):
            gap = boxes[ranked[at], 0, axis] - end
            if gap > widest:
                widest, parts = gap, (ranked[:at], ranked[at:])
            end = max(end, boxes[ranked[at], 1, axis])
    if parts is None:
        return [lines[at] for at in np.lexsort((boxes[:, 0, 0], boxes[:, :, 1].mean(axis=1).round(-1)))]
    return [line for part in parts for line in plain_xy_cut([lines[at] for at in part])]


def measure(order: Callable[[Sequence[Line]], list[Line]], layout: Layout, pages: int) -> tuple[float, float]:
    """Share of neighbours in the right order, and of pages wholly right."""
    right = neighbours = whole = 0
    for seed in range(pages):
        random = Random(f"{layout.__name__}/{seed}")
        lines = seen(layout(random), random)
        shuffled = random.sample(lines, len(lines))
        places = {id(line): at for at, line in enumerate(order(shuffled))}
        following = sum(places[id(b)] == places[id(a)] + 1 for a, b in pairwise(lines))
        right, neighbours, whole = right + following, neighbours + len(lines) - 1, whole + (following == len(lines) - 1)
    return right / neighbours, whole / pages


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.reading_order")
    parser.add_argument("--pages", type=int, default=50, help="drawn pages per layout")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    args = parser.parse_args()
    results = {}
    for layout in LAYOUTS:
        row = {
            name: dict(
                zip(
                    ("neighbours", "pages"),
                    (round(share, 4) for share in measure(order, layout, args.pages)),
                    strict=True,
                )
            )
            for name, order in (("engine", reading_order), ("xy_cut", plain_xy_cut))
        }
        results[layout.__name__] = row
        shares = "   ".join(f"{name} {row[name]['neighbours']:.3f} {row[name]['pages']:.2f}" for name in row)
        print(f"{layout.__name__:28} {shares}")
    if args.out:
        result = {"machine": facts("numpy"), "pages_per_layout": args.pages, "layouts": results}
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
