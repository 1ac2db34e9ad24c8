"""Symbols that recognisers confuse. Which of them a network can read is a matter of its charset (ADR 0023)."""

from __future__ import annotations

from random import Random

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, in_order, page_case


def _page(lines: list[str], random: Random) -> Case:
    page = drawing.sheet(640, 70 + 64 * len(lines))
    for row, line in enumerate(lines):
        drawing.write(page, (40, 34 + 64 * row), line, 32)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(lines))


def per_mille(random: Random) -> Case:
    return _page(
        [
            f"坡度 {random.randint(2, 30)}‰ 半径 {random.randint(300, 900)}",
            f"盐度 {random.randint(20, 39)}‰ 出生率 {random.randint(5, 14)}.{random.randint(1, 9)}‰",
        ],
        random,
    )


def plus_minus(random: Random) -> Case:
    value = random.randint(2, 9)
    return _page([f"误差±{value}毫米", f"电压220V±{value}%", f"温度{20 + value}±{value}℃"], random)


def bullets(random: Random) -> Case:
    first, second = random.sample(("已完成", "未完成", "必填", "选填", "重要", "一般"), 2)
    marks = random.choice(("●○", "■□", "◆◇", "★☆"))
    return _page([f"{marks[0]} {first} {marks[1]} {second}"], random)


def not_per_mille(random: Random) -> Case:
    """A % before a full 0, which is no ‰."""
    return _page([f"折扣{random.randint(2, 9)}%0", f"占比 {random.randint(11, 99)}%0"], random)


def leading_bullets(random: Random) -> Case:
    """A list with a bullet a full character before each line."""
    mark = random.choice("●■◆○")
    lines = [f"{mark}　{line[:-1]}" for line in drawing.pick(random, wording.SENTENCES, 3)]
    return _page([line[:12] for line in lines], random)


def currency(random: Random) -> Case:
    amount = f"{random.randint(100, 9999)}.{random.randint(10, 99)}"
    return _page([f"¥{amount}", f"合计：¥{amount}元"], random)


def brackets_and_numerals(random: Random) -> Case:
    return _page([f"国办发〔2026〕{random.randint(2, 48)}号", f"第Ⅲ类 {random.choice('ⅡⅣ')}级"], random)


KINDS = (
    Kind("per mille", per_mille, floor=0.85),
    Kind("plus or minus", plus_minus),
    Kind("bullets", bullets),
    Kind("% before 0", not_per_mille),
    Kind("bullets before lines", leading_bullets, floor=0.75),
    Kind("currency", currency),
    Kind("brackets and numerals", brackets_and_numerals),
)
