"""Coverage masks of plate characters, from our stroke coordinates and from free fonts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkgate.engines.plate.training.strokes import HAN, strokes

Mask = NDArray[np.uint8]

LATIN_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
)
HAN_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
_FINE = 4  # drawing scale over the mask that is returned


def _rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two rounds of corner cutting (Chaikin); end points stay."""
    for _ in range(2):
        near, far = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        points = np.concatenate([points[:1], np.stack([near, far], 1).reshape(-1, 2), points[-1:]])
    return points


def draw(character: str, width: int, height: int, rng: np.random.Generator) -> Mask:
    """The character from stroke coordinates, (height, width) uint8, with random stroke width and jitter."""
    han = character in HAN
    base = rng.uniform(0.10, 0.165) if han else rng.uniform(0.19, 0.30)
    if han and len(strokes(character)) > 10:
        base *= 0.8
    thick = max(1, round(base * width * _FINE))
    inset = thick / 2
    size = np.array([width * _FINE - 2 * inset, height * _FINE - 2 * inset])
    mask = np.zeros((height * _FINE, width * _FINE), np.uint8)
    wobble = rng.uniform(0.0, 1.6)
    for rounded, points in strokes(character):
        line = np.array(points) + rng.normal(0, wobble, (len(points), 2))
        if points[0] == points[-1]:
            line[-1] = line[0]
        line = np.clip(_rounded(line) if rounded else line, 0, 100) / 100 * size + inset
        cv2.polylines(mask, [np.round(line * 8).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 3)
    if rng.random() < 0.3:
        mask = cv2.GaussianBlur(mask, (0, 0), _FINE * rng.uniform(0.3, 1.0))
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)


def from_font(character: str, width: int, height: int, font: str, rng: np.random.Generator) -> Mask:
    """The character from a font, stretched to the cell; "1" keeps its width. Mask (height, width) uint8."""
    face = ImageFont.truetype(font, 4 * height)
    left, top, right, bottom = (int(v) for v in face.getbbox(character))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=face)
    ink = np.asarray(image)
    share = rng.uniform(0.25, 0.5) if character == "1" else 1.0
    narrow = max(2, round(width * share))
    grow = int(rng.integers(0, 4))
    if grow:
        kernel = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
        ink = np.asarray(cv2.dilate(ink, kernel) if rng.random() < 0.6 else cv2.erode(ink, kernel), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    start = (width - narrow) // 2
    mask[:, start : start + narrow] = cv2.resize(ink, (narrow, height), interpolation=cv2.INTER_AREA)
    return mask


class GlyphBox:
    """A bounded cache of glyph masks; each entry is rendered again after `uses` uses.

    `drawn_share` is the share of glyphs from stroke coordinates rather than from a font.
    """

    def __init__(
        self, rng: np.random.Generator, *, variants: int = 6, uses: int = 60, drawn_share: float = 0.65
    ) -> None:
        self._rng = rng
        self._variants = variants
        self._uses = uses
        self._share = drawn_share
        self._store: dict[tuple[str, int, int, int], tuple[Mask, int]] = {}
        self._latin = [f for f in LATIN_FONTS if Path(f).exists()]
        self._han = [f for f in HAN_FONTS if Path(f).exists()]

    def get(self, character: str, width: int, height: int, variant: int) -> Mask:
        """One mask (height, width) uint8. The same `variant` gives one style to all characters of a plate."""
        key = (character, width, height, variant % self._variants)
        mask, left = self._store.get(key, (None, 0))
        if mask is None or left <= 0:
            mask, left = self._make(character, width, height, variant % self._variants), self._uses
        self._store[key] = (mask, left - 1)
        return mask

    def _make(self, character: str, width: int, height: int, variant: int) -> Mask:
        fonts = self._han if character in HAN else self._latin
        if variant < round(self._share * self._variants) or not fonts:
            return draw(character, width, height, self._rng)
        return from_font(character, width, height, str(self._rng.choice(fonts)), self._rng)
