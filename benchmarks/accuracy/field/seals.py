"""Red seals over general text."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageChops, ImageDraw

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, contains, page_case

_OWNERS = ("江城云岭商贸有限公司", "东海县第二建筑公司", "长宁区物资供应站", "华安设备租赁有限公司")


def round_seal(diameter: int, owner: str, below: str, ink: drawing.Colour) -> Image.Image:
    """A seal on transparent background: ring, star, the owner's name along the ring, a line below the star."""
    seal = Image.new("RGBA", (diameter, diameter), (255, 255, 255, 0))
    draw, radius = ImageDraw.Draw(seal), diameter / 2
    draw.ellipse((2, 2, diameter - 3, diameter - 3), outline=(*ink, 255), width=max(diameter // 48, 3))
    points = []
    for at in range(10):
        length, angle = (0.26 if at % 2 == 0 else 0.1) * radius, math.radians(36 * at - 90)
        points.append((radius + length * math.cos(angle), radius + length * math.sin(angle)))
    draw.polygon(points, fill=(*ink, 255))
    size = round(diameter / 8.5)
    for at, character in enumerate(owner):
        angle = 240 * (at / (len(owner) - 1) - 0.5)
        glyph = Image.new("RGBA", (2 * size, 2 * size), (255, 255, 255, 0))
        ImageDraw.Draw(glyph).text((size, size), character, font=drawing.font(size), fill=(*ink, 255), anchor="mm")
        glyph = glyph.rotate(-angle, resample=Image.Resampling.BICUBIC)
        x = radius + 0.76 * radius * math.sin(math.radians(angle))
        y = radius - 0.76 * radius * math.cos(math.radians(angle))
        seal.alpha_composite(glyph, (round(x) - size, round(y) - size))
    draw.text((radius, 1.52 * radius), below, font=drawing.font(round(0.8 * size)), fill=(*ink, 255), anchor="mm")
    return seal


def red_seal(random: Random) -> Case:
    """Four lines with a seal across them; the printed lines must be read whole, the seal's text may be read or not."""
    lines = drawing.pick(random, wording.CLAUSES, 4)
    page = drawing.sheet(800, 310)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 40 + 58 * row), line, 32)
    ink = (random.randint(190, 225), random.randint(30, 60), random.randint(35, 65))
    seal = round_seal(random.randint(210, 250), random.choice(_OWNERS), "合同专用章", ink)
    seal = seal.rotate(random.uniform(-25, 25), resample=Image.Resampling.BICUBIC)
    red = Image.new("RGB", page.size, (255, 255, 255))
    red.paste(seal, (random.randint(120, 300), random.randint(10, 60)), seal)
    multiplied = Image.blend(page, ImageChops.multiply(page, red), random.uniform(0.8, 1.0))
    return page_case(drawing.jpeg(drawing.photograph(multiplied, random)), contains(lines))


def red_print(random: Random) -> Case:
    """Text printed in red must not suffer from the cleaning of seals."""
    lines = drawing.pick(random, wording.CLAUSES, 3)
    page = drawing.sheet(700, 240)
    for row, line in enumerate(lines):
        drawing.write(page, (40, 30 + 60 * row), line, 32, ink=(205, 40, 45) if row != 1 else drawing.INK)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), contains(lines))


KINDS = (
    Kind("red seal over text", red_seal, variants=10),
    Kind("text printed in red", red_print, variants=5),
)
