"""Codes, machine-readable zones, and blanks between Chinese and digits."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, in_order, page_case
from inkgate.engines.text.machine_zone import check_digit

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "0123456789"
_SURNAMES = ("ZHANG", "OUYANG", "OCONNOR", "LIU", "ILIC", "SONG")
_GIVEN_NAMES = ("WEI", "XIAO<MING", "OLIVIA<IRIS", "GUO<QING", "JOAO")


def codes(random: Random) -> Case:
    """Numbers of letters and digits with 0 and O, 1 and I, in a typeface of several widths."""
    face = random.choice((drawing.SANS, drawing.SERIF, drawing.SANS_BOLD))
    some = _some(random)
    lines = [
        f"编号：{some('ABCDEFGO', 3)}{some('O0', 1)}{some('23456789', 4)}",
        f"SN {some(_LETTERS, 2)}{some(_DIGITS, 5)}{some('O08', 3)}",
        f"箱号 {some(_LETTERS, 3)}-{some('10', 4)}-{some('8IO', 3)}",
    ]
    page = drawing.sheet(640, 260)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 30 + 72 * row), line, 34, face)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(lines))


def zone(random: Random) -> Case:
    """The machine-readable zone of a passport or a card, in a typeface of one width, under a line of a page."""
    lines = _passport(random) if random.random() < 0.6 else _card(random)
    size = random.randint(26, 34)
    page = drawing.sheet(80 + round(len(lines[0]) * size / 2), 120 + 50 * len(lines))
    title = "PASSPORT" if len(lines) == 2 else "IDENTITY CARD"
    drawing.write(page, (40, 16), title, 30)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 76 + 50 * row), line, size, drawing.MONO)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order([title, *lines]))


def blanks(random: Random) -> Case:
    """Chinese and numbers with a gap of a fifth to a half of the height between them; blanks count."""
    size, gap = random.randint(26, 36), random.uniform(0.22, 0.5)
    rows = [
        ["共", str(random.randint(2, 400)), "项，合计", f"{random.randint(10, 999)}.50", "元"],
        ["截至", str(random.randint(2010, 2026)), "年", str(random.randint(1, 12)), "月共有", "V2", "版本"],
        [random.choice(wording.NAMES) + "使用", "Python", str(random.randint(2, 9)), "编写"],
    ]
    page = drawing.sheet(820, 80 + 70 * len(rows))
    for row, parts in enumerate(rows):
        left = 40.0
        for part in parts:
            drawing.write(page, (left, 36 + 70 * row), part, size)
            left += drawing.text_width(part, size) + gap * size
    wanted = [" ".join(parts) for parts in rows]

    def check(lines: list[str]) -> str:
        return "" if lines == wanted else f"{lines} instead of {wanted}"

    return page_case(drawing.jpeg(drawing.photograph(page, random)), check)


def no_blanks(random: Random) -> Case:
    """The same without gaps, and numbers that touch their brackets."""
    lines = [
        f"共{random.randint(2, 400)}项，合计{random.randint(10, 999)}.50元",
        f"第{random.randint(2, 30)}条（{random.randint(2010, 2026)}年修订）A{random.randint(2, 9)}类",
    ]
    page = drawing.sheet(700, 220)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 40 + 80 * row), line, random.randint(26, 36))

    def check(read: list[str]) -> str:
        return "" if not any(" " in line for line in read) else f"blanks in {read}"

    return page_case(drawing.jpeg(drawing.photograph(page, random)), check)


def _some(random: Random) -> Callable[[str, int], str]:
    return lambda pool, count: "".join(random.choice(pool) for _ in range(count))


def _checked(field: str) -> str:
    return f"{field}{check_digit(field)}"


def _passport(random: Random) -> list[str]:
    some = _some(random)
    name = f"P<COL{random.choice(_SURNAMES)}<<{random.choice(_GIVEN_NAMES)}".ljust(44, "<")
    number, birth, expiry = _checked(f"{some('AEGKOI', 1)}{some(_DIGITS, 8)}"), _date(random), _date(random)
    row = f"{number}COL{birth}{random.choice('MF')}{expiry}{_checked(some(_DIGITS, 10).ljust(14, '<'))}"
    return [name, f"{row}{check_digit(row[:10] + row[13:20] + row[21:43])}"]


def _card(random: Random) -> list[str]:
    some = _some(random)
    first = f"I<COL{_checked(some('CDEIO', 1) + some(_DIGITS, 8))}".ljust(30, "<")
    second = f"{_date(random)}{random.choice('MF')}{_date(random)}COL".ljust(29, "<")
    total = check_digit(first[5:30] + second[:7] + second[8:15] + second[18:29])
    return [first, f"{second}{total}", f"{random.choice(_SURNAMES)}<<{random.choice(_GIVEN_NAMES)}".ljust(30, "<")]


def _date(random: Random) -> str:
    return _checked(f"{random.randint(25, 99)}{random.randint(1, 12):02}{random.randint(1, 28):02}")


KINDS = (
    Kind("codes with O and I", codes, floor=0.75),
    Kind("machine-readable zone", zone, floor=0.75),
    Kind("blanks between Chinese and digits", blanks, floor=0.75),
    Kind("no blanks where there are none", no_blanks),
)
