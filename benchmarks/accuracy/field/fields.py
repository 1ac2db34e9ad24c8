"""Running text with words of one character, and fields cropped without a margin."""

from __future__ import annotations

from random import Random

from PIL import ImageDraw

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, in_order, page_case

_TIGHT = ("¥356.00", "OK", "No.7", "15:40", "¥89.50", "2026-05-12", "A3", "75%", "合格", "￥1,280.00", "6件", "编号B08")


def one_character_words(random: Random) -> Case:
    lines = drawing.pick(random, wording.ENGLISH, 3)
    size = random.choice((20, 24, 28))
    page = drawing.sheet(760, 60 + 3 * 2 * size)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 30 + 2 * size * row), line, size, random.choice((drawing.SANS, drawing.SERIF)))
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(lines))


def tight_field(random: Random) -> Case:
    text, size, margin = random.choice(_TIGHT), random.choice((18, 26, 34, 44)), random.randint(0, 3)
    face = random.choice((drawing.SANS, drawing.SANS_BOLD))
    left, top, right, bottom = (round(edge) for edge in drawing.font(size, face).getbbox(text))
    page = drawing.sheet(max(right - left + 2 * margin, 33), max(bottom - top + 2 * margin, 33))
    place = ((page.width - right + left) // 2 - left, (page.height - bottom + top) // 2 - top)
    ImageDraw.Draw(page).text(place, text, font=drawing.font(size, face), fill=drawing.INK)
    return page_case(drawing.jpeg(page, 92), in_order([text]))


KINDS = (
    Kind("one-character words in running text", one_character_words),
    Kind("fields cropped tight", tight_field, variants=20),
)
