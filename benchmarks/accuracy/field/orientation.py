"""Lines of another direction than their page."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, contains, page_case, same_lines


def axis_title(random: Random) -> Case:
    """A bar chart whose vertical axis has a title that reads upwards, or downwards on the right."""
    upwards = random.random() < 0.7
    title = random.choice(wording.AXES + wording.AXES_CHINESE)
    page = drawing.sheet(900, 600)
    draw = ImageDraw.Draw(page)
    draw.line([(130, 60), (130, 520), (800, 520)], fill=drawing.INK, width=2)
    for bar in range(6):
        left = 180 + 100 * bar
        draw.rectangle((left, random.randint(120, 480), left + 56, 519), fill=(200, 110, 60))
        drawing.write(page, (left + 20, 528), str(bar + 1), 22)
    for step in range(4):
        drawing.write(page, (78, 90 + 110 * step), str(80 - 20 * step), 22)
    label = drawing.turned_text(title, random.randint(24, 32), 90 if upwards else 270)
    page.paste(label, (20 if upwards else 830, 290 - label.height // 2), label)
    heading = random.choice(wording.HEADLINES)
    drawing.write(page, (380, 10), heading, 30, drawing.SANS_BOLD)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), contains([title, heading]))


def spines(random: Random) -> Case:
    """Spines on a shelf: titles turned clockwise, as on most spines, or counter-clockwise."""
    titles = drawing.pick(random, wording.SPINES, 4)
    page = drawing.sheet(620, 620, (60, 45, 35))
    for at, title in enumerate(titles):
        colour = tuple(random.randint(170, 245) for _ in range(3))
        ImageDraw.Draw(page).rectangle((40 + 140 * at, 40, 150 + 140 * at, 600), fill=colour)
        label = drawing.turned_text(
            title, random.randint(34, 44), 90 if random.random() < 0.4 else 270, drawing.SANS_BOLD
        )
        page.paste(label, (95 + 140 * at - label.width // 2, 320 - label.height // 2), label)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), contains(titles))


def half_upside_down(random: Random) -> Case:
    """A table tent: the same two lines on both faces, the upper face upside down."""
    sign, notice = random.choice(wording.DOOR_SIGNS), random.choice(wording.NOTICES)
    size, small = random.randint(52, 72), random.randint(34, 46)
    page, face = drawing.sheet(760, 640), drawing.sheet(760, 320)
    drawing.write(face, ((760 - drawing.text_width(sign, size)) / 2, 50), sign, size)
    drawing.write(face, ((760 - drawing.text_width(notice, small)) / 2, 180), notice, small)
    page.paste(face, (0, 320))
    page.paste(face.transpose(Image.Transpose.ROTATE_180), (0, 0))
    seen = drawing.photograph(page, random, tilt=0.01)
    return page_case(drawing.jpeg(seen), same_lines([sign, notice, sign, notice]))


KINDS = (
    Kind("title of an axis that reads upwards or downwards", axis_title, floor=0.85),
    Kind("book spines", spines),
    Kind("half of the page upside down", half_upside_down),
)
