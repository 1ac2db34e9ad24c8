"""Draws text and what happens to it before a camera. Images are Pillow RGB or BGR uint8 arrays; lengths are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

NOTO = Path("/usr/share/fonts/opentype/noto")  # Debian's fonts-noto-cjk
SANS, SANS_BOLD, SERIF, SERIF_BOLD = (
    f"Noto{family}CJK-{weight}.ttc" for family in ("Sans", "Serif") for weight in ("Regular", "Bold")
)
MONO = "Noto Sans Mono CJK SC"
_SIMPLIFIED_FACE, _MONO_FACE = 2, 7  # of the collections: JP, KR, SC, TC, HK, and the same in one width
INK, PAPER = (28, 28, 30), (252, 252, 250)

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]


def fonts_installed() -> bool:
    """Whether the fonts that the cases are drawn with exist on this machine."""
    return all((NOTO / name).exists() for name in (SANS, SANS_BOLD, SERIF, SERIF_BOLD))


@cache
def font(size: int, name: str = SANS) -> ImageFont.FreeTypeFont:
    """A face of `size` pixels. Raises OSError when the package fonts-noto-cjk is not installed."""
    file, face = (SANS, _MONO_FACE) if name == MONO else (name, _SIMPLIFIED_FACE)
    return ImageFont.truetype(NOTO / file, size, index=face)


def text_width(text: str, size: int, name: str = SANS) -> int:
    """Width of the drawn text in pixels."""
    return round(font(size, name).getlength(text))


def sheet(width: int, height: int, colour: Colour = PAPER) -> Image.Image:
    """An empty page."""
    return Image.new("RGB", (width, height), colour)


def write(
    page: Image.Image, place: tuple[float, float], text: str, size: int, name: str = SANS, ink: Colour = INK
) -> None:
    """Draw `text` with the top left of its line box at `place`."""
    ImageDraw.Draw(page).text(place, text, font=font(size, name), fill=ink)


def write_column(page: Image.Image, place: tuple[int, int], text: str, size: int, name: str = SANS) -> None:
    """Draw `text` downwards with the font's own vertical forms, which put stops into the upper right of their cells."""
    ImageDraw.Draw(page).text(place, text, font=font(size, name), fill=INK, direction="ttb")


def turned_text(text: str, size: int, degrees: int, name: str = SANS, ink: Colour = INK) -> Image.Image:
    """The text on transparent background, turned counter-clockwise by a multiple of 90 degrees."""
    label = Image.new("RGBA", (text_width(text, size, name) + 4, round(1.4 * size)), (255, 255, 255, 0))
    ImageDraw.Draw(label).text((2, 0), text, font=font(size, name), fill=(*ink, 255))
    return label.rotate(degrees, expand=True)


def photograph(page: Image.Image, random: Random, *, tilt: float = 0.0, noise: float = 3.0) -> Pixels:
    """The page as BGR uint8 with sensor noise and light falling off to one side.

    `tilt` moves each corner of the page by up to this share of its sides and lays it on a dark table.
    """
    image: NDArray[Any] = np.asarray(page)[:, :, ::-1].astype(np.float32)
    height, width = image.shape[:2]
    if tilt:
        table = [random.uniform(30, 80) for _ in range(3)]
        margin = 0.06
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        moved = corners * (1 - 2 * margin) + margin
        moved += np.array([[random.uniform(-tilt, tilt) for _ in range(2)] for _ in range(4)], np.float32)
        sides = np.array([width, height], np.float32)
        transform = cv2.getPerspectiveTransform(corners * sides, moved * sides)
        image = cv2.warpPerspective(
            image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=table
        )
    light = np.linspace(1.0, random.uniform(0.85, 1.0), width, dtype=np.float32)[None, :, None]
    grain = np.random.default_rng(random.getrandbits(32)).normal(0, noise, image.shape[:2])[..., None]
    return np.clip(image * light + grain, 0, 255).astype(np.uint8)


def side_view(page: Image.Image, random: Random, depth: float) -> Pixels:
    """The page seen from its left or right: the far edge is `depth` (share of the height) shorter than the near one."""
    image = np.asarray(page)[:, :, ::-1]
    height, width = image.shape[:2]
    near, far = 0.06 * height, (0.06 + depth / 2) * height
    left, right = (near, far) if random.random() < 0.5 else (far, near)
    target = np.array(
        [[0.04 * width, left], [0.96 * width, right], [0.96 * width, height - right], [0.04 * width, height - left]],
        np.float32,
    )
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(source, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderValue=(70, 66, 60),
    )
    return photograph(Image.fromarray(np.ascontiguousarray(seen[:, :, ::-1])), random)


def jpeg(image: Pixels | Image.Image, quality: int = 88) -> bytes:
    """The image, BGR uint8 or Pillow RGB, as a JPEG file."""
    pixels = np.asarray(image)[:, :, ::-1] if isinstance(image, Image.Image) else image
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def pick(random: Random, pool: Sequence[str], count: int) -> list[str]:
    """`count` different entries of the pool, in random order."""
    return random.sample(list(pool), count)
