"""Sheets in millimetres, and what cameras and copiers do to them. Needs Pillow and fonts-noto-cjk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from inkgate.engines.types import Image

_FOLDER = Path("/usr/share/fonts/opentype/noto")
_FACES = {
    "sans": "NotoSansCJK-Regular.ttc",
    "bold": "NotoSansCJK-Bold.ttc",
    "serif": "NotoSerifCJK-Regular.ttc",
    "heavy": "NotoSerifCJK-Bold.ttc",
}
INK, BLUE, GREY = (30, 30, 34), (40, 110, 170), (110, 110, 116)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """One drawn image: BGR uint8, the capability that reads it, and the acceptable answers (field -> value).

    An answer passes when it equals one of `accepted` in every key of it.
    """

    kind: str
    variant: str
    capability: str
    image: Image
    accepted: Sequence[dict[str, Any]] = field(default_factory=tuple)


class Sheet:
    """A sheet of `width` x `height` millimetres at `scale` pixels each."""

    def __init__(self, width: float, height: float, scale: float, paper: Colour = (228, 235, 240)) -> None:
        self.scale = scale
        self._image = Pillow.new("RGB", (round(width * scale), round(height * scale)), paper)
        self._draw = ImageDraw.Draw(self._image)

    def _font(self, face: str, mm: float) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(_FOLDER / _FACES[face]), max(6, round(mm * self.scale)))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        mm: float,
        face: str = "sans",
        fill: Colour = INK,
        gap: float = 0.1,
    ) -> float:
        """Draw `words` with their middle at y and `gap` millimetres between characters; returns their right edge."""
        font = self._font(face, mm)
        for character in words:
            self._draw.text((x * self.scale, y * self.scale), character, font=font, fill=fill, anchor="lm")
            x += font.getlength(character) / self.scale + gap
        return x

    def run(self, x: float, y: float, words: str, mm: float, face: str = "sans", fill: Colour = INK) -> None:
        """Draw `words` with the spacing of the font, as Latin text is set."""
        self._draw.text((x * self.scale, y * self.scale), words, font=self._font(face, mm), fill=fill, anchor="lm")

    def spread(self, x: float, y: float, words: str, mm: float, width: float, face: str = "serif") -> None:
        """Draw `words` justified to `width` millimetres."""
        self.text(x, y, words, mm, face, gap=max(0.0, (width - mm * len(words)) / max(1, len(words) - 1)))

    def wrapped(self, x: float, y: float, words: str, mm: float, width: float, pitch: float, face: str = "sans") -> int:
        """Draw `words` in rows of at most `width` millimetres; returns the number of rows."""
        font, row, rows = self._font(face, mm), "", 1
        for character in words:
            if font.getlength(row + character) / self.scale + 0.1 * len(row) > width:
                self.text(x, y, row, mm, face)
                row, y, rows = "", y + pitch, rows + 1
            row += character
        self.text(x, y, row, mm, face)
        return rows

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None, line: Colour | None = None) -> None:
        """Draw a rectangle."""
        corners = (x0 * self.scale, y0 * self.scale, x1 * self.scale, y1 * self.scale)
        self._draw.rectangle(corners, fill=fill, outline=line, width=max(1, round(0.2 * self.scale)))

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """Draw a filled circle."""
        s = self.scale
        self._draw.ellipse(((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s), fill=fill)

    def image(self) -> Image:
        """The sheet as BGR uint8."""
        return np.ascontiguousarray(np.asarray(self._image)[..., ::-1])


def paste(background: Image, sheet: Image, x: int, y: int, angle: float = 0.0) -> Image:
    """`sheet` on `background` with its top left corner at (x, y), turned by `angle` degrees about its centre."""
    height, width = sheet.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += (x, y)
    size = (background.shape[1], background.shape[0])
    turned = cv2.warpAffine(sheet, matrix, size, flags=cv2.INTER_CUBIC)
    mask = cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size) > 127
    out = background.copy()
    out[mask] = turned[mask]
    return out


def table(width: int, height: int, colour: Colour = (88, 104, 122)) -> Image:
    """A plain background, BGR."""
    return np.full((height, width, 3), colour, np.uint8)


def on_table(sheet: Image, angle: float = 2.0, margin: float = 0.12) -> Image:
    """The sheet on a plain background with a margin of `margin` times its width."""
    pad = round(margin * sheet.shape[1])
    return paste(table(sheet.shape[1] + 2 * pad, sheet.shape[0] + 2 * pad), sheet, pad, pad, angle)


def curl(image: Image, bend: float) -> Image:
    """Rows bent to arcs whose height is `bend` times the image height, shaded towards the sides."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = 2 * x / width - 1
    out = cv2.remap(image, x, y + bend * height * (1 - across**2), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray((out * (1 - 0.2 * np.abs(across))[..., None]).clip(0, 255), np.uint8)


def photocopy(image: Image) -> Image:
    """Grey, with the contrast of a copier and some noise."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey = (grey - 128) * 1.2 + 150 + np.random.default_rng(1).normal(0, 5, grey.shape)
    return np.asarray(np.repeat(grey.clip(0, 255)[..., None], 3, axis=2), np.uint8)
