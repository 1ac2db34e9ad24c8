"""Files: transparency, missing end markers."""

from __future__ import annotations

import io
from random import Random

from PIL import Image, ImageDraw

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, contains, in_order, page_case
from inkgate.engines.errors import DecodeError

_LIGHT = ((255, 255, 255), (255, 250, 225), (235, 235, 235), (255, 236, 140), (214, 240, 255))


def light_on_transparent(random: Random) -> Case:
    """A banner or logo: light letters, everything else transparent. Some have a dark or coloured line beside them."""
    text = random.choice((*wording.NOTICES, *wording.DOOR_SIGNS, "SUMMER SALE", "新品八折", "满200减30"))
    size = random.choice((40, 56, 72))
    hidden = random.choice(((255, 255, 255, 0), (0, 0, 0, 0)))  # what encoders leave below full transparency
    page = Image.new("RGBA", (drawing.text_width(text, size) + 120, 2 * size + 40), hidden)
    ImageDraw.Draw(page).text((60, 30), text, font=drawing.font(size), fill=(*random.choice(_LIGHT), 255))
    return page_case(_png(page), in_order([text]))


def dark_on_transparent(random: Random) -> Case:
    """A signature or scanned stamp: dark letters, everything else transparent."""
    text = random.choice((*wording.NOTICES, *wording.DOOR_SIGNS))
    page = Image.new("RGBA", (drawing.text_width(text, 56) + 120, 150), (0, 0, 0, 0))
    colour = random.choice(((20, 20, 24), (30, 60, 140), (150, 30, 30)))
    ImageDraw.Draw(page).text((60, 30), text, font=drawing.font(56), fill=(*colour, 255))
    return page_case(_png(page), in_order([text]))


def without_end_marker(random: Random) -> Case:
    """A whole JPEG that lacks its end marker, or has a trailer in its place."""
    lines = drawing.pick(random, wording.SENTENCES, 2)
    trailer = random.choice((b"", b"\x00" * 64, b"SEFT\x00\x01" + bytes(range(40))))
    return page_case(_two_lines(lines, random)[:-2] + trailer, contains([line[:-1] for line in lines]))


def broken_off(random: Random) -> Case:
    """A JPEG cut within its image data is refused."""
    data = _two_lines(drawing.pick(random, wording.SENTENCES, 2), random)
    cut = data[: round(len(data) * random.uniform(0.4, 0.9))]
    return Case(
        "general", cut, lambda result: "" if isinstance(result, DecodeError) else f"{result} instead of an error"
    )


def _two_lines(lines: list[str], random: Random) -> bytes:
    page = drawing.sheet(560, 140)
    for row, line in enumerate(lines):
        drawing.write(page, (30, 20 + 52 * row), line, 28)
    return drawing.jpeg(drawing.photograph(page, random))


def _png(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


KINDS = (
    Kind("light text on a transparent PNG", light_on_transparent),
    Kind("dark text on a transparent PNG", dark_on_transparent, variants=5),
    Kind("JPEG without its end marker", without_end_marker, variants=5),
    Kind("JPEG that breaks off", broken_off, variants=5, floor=1.0),
)
