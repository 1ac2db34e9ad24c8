"""Sheets whose text a scripted engine can read: every line is painted in a colour of its own.

The flows see a real image: they turn it, cut strips out of it and warp it. What comes back from a strip is the text
that belongs to the commonest painted colour in it, so a test says exactly what detection and recognition found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from inkgate.engines.types import CharacterCandidates, EngineInfo, Image, Page, Quad


@dataclass
class Sheet:
    """Lines placed on a white sheet of `width` x `height` pixels; `turn` degrees tilt it clockwise about its centre."""

    width: int = 1000
    height: int = 640
    turn: float = 0.0
    lines: list[tuple[str, Quad]] = field(default_factory=list)

    def line(
        self, x: float, y: float, text: str, h: float = 30, tilt: float = 0.0, length: float | None = None
    ) -> Sheet:
        """A line whose left edge is at x and whose middle is at y, `tilt` degrees clockwise."""
        w = length or h * 0.8 * sum(0.56 if ord(c) < 0x2E80 else 1.0 for c in text)
        a = math.radians(tilt)
        along, down = np.array([math.cos(a), math.sin(a)]), np.array([-math.sin(a), math.cos(a)])
        start = np.array([x, y])
        corners = [start - down * h / 2, start + along * w - down * h / 2]
        corners += [start + along * w + down * h / 2, start + down * h / 2]
        centre, t = np.array([self.width / 2, self.height / 2]), math.radians(self.turn)
        spin = np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
        a_, b_, c_, d_ = ((float(q[0]), float(q[1])) for q in (spin @ (p - centre) + centre for p in corners))
        self.lines.append((text, (a_, b_, c_, d_)))
        return self

    def image(self) -> Image:
        image = np.full((self.height, self.width, 3), 255, np.uint8)
        for i, (_, quad) in enumerate(self.lines):
            cv2.fillConvexPoly(image, np.asarray(quad, np.float32).round().astype(np.int32), colour(i))
        return image


def colour(index: int) -> tuple[int, int, int]:
    """Colours far enough apart to survive interpolation: steps of 24 in two channels, the third marks paint."""
    return (24 * (index % 10), 24 * (index // 10), 0)


class PaintReader:
    """A text engine that knows what each colour says. `orientation` is what `orient` answers."""

    info = EngineInfo("paint", "1", "cpu", 1)

    def __init__(self, sheet: Sheet, orientation: int = 0) -> None:
        self._sheet = sheet
        self._orientation = orientation
        self.read_count = 0

    def warmup(self) -> None: ...

    def close(self) -> None: ...

    def orient(self, image: Image) -> int:
        return self._orientation

    def detect(self, image: Image, *, limit_side: int | None = None) -> list[Quad]:
        """Boxes of the painted areas, found in the image as it stands."""
        quads: list[Quad] = []
        for i in range(len(self._sheet.lines)):
            mask = (np.abs(image.astype(int) - np.array(colour(i))).max(axis=2) < 10).astype(np.uint8)
            if mask.sum() > 20:
                quads.append(_box(mask))
        return quads

    def recognise_draft(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        return self.recognise(crops)

    def recognise(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        out = []
        for crop in crops:
            self.read_count += 1
            pixels = crop.reshape(-1, 3).astype(int)
            paint = pixels[pixels[:, 2] < 60]
            if not len(paint):
                out.append(("", 0.0))
                continue
            steps = np.round(np.median(paint, axis=0) / 24).astype(int)
            out.append((self._sheet.lines[steps[0] + 10 * steps[1]][0], 0.99))
        return out

    def candidates(self, crops: Sequence[Image]) -> list[CharacterCandidates]:
        return [[[(sign, score)] for sign in text] for text, score in self.recognise(crops)]

    def read(self, image: Image) -> Page:
        raise NotImplementedError


def _box(mask: np.ndarray) -> Quad:
    points = cv2.findNonZero(mask)
    corners = cv2.boxPoints(cv2.minAreaRect(points))
    corners = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = corners[:2], corners[2:]
    left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
    a, b, c, d = ((float(x), float(y)) for x, y in (left[0], right[0], right[1], left[1]))
    return a, b, c, d
