"""Training scenes of the detector: rendered streets with vehicles, plates, and other text."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.training import degrade
from inkgate.engines.plate.training.backgrounds import Backdrops, paste, signboard
from inkgate.engines.plate.training.glyphs import GlyphBox
from inkgate.engines.plate.training.plates import draw_plate
from inkgate.engines.plate.training.reader_data import KINDS, SHARES, lay, turn

BgrImage = NDArray[np.uint8]
Corners = NDArray[np.float64]
Rng = np.random.Generator
WIDTH, HEIGHT = 256, 192
NARROWEST, WIDEST = 15.0, 210.0
"""Plate widths in pixels of the network input; wider plates are detected in a smaller copy of the image."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`image` BGR uint8 (HEIGHT, WIDTH, 3); `plates` (n, 4, 2) corners TL TR BR BL; `unclear`: not in the loss."""

    image: BgrImage
    plates: Corners
    unclear: Corners


def _body(width: int, height: int, rng: Rng) -> BgrImage:
    """The front or back of a vehicle around a plate that is `width` x `height`: 4.2 plates wide, 7 high, plate in the
    middle of the lower half."""
    w, h = round(4.2 * width), round(7 * height)
    paint = rng.uniform(10, 245, 3) if rng.random() < 0.45 else np.full(3, rng.uniform(8, 250)) + rng.normal(0, 6, 3)
    shade = np.linspace(rng.uniform(0.8, 1.3), rng.uniform(0.4, 1.0), h)[:, None, None]
    body = np.clip(shade * paint * np.ones((h, w, 1)), 0, 255).astype(np.uint8)
    dark = tuple(int(v) for v in rng.uniform(5, 70) + rng.uniform(0, 12, 3))
    x0, x1, y0 = round(1.6 * width), round(2.6 * width), round(4 * height)
    if rng.random() < 0.6:  # bumper or recess behind the plate
        grow_x, grow_y = rng.uniform(0.05, 1.5) * width, rng.uniform(0.1, 1.4) * height
        a, b = (round(x0 - grow_x), round(y0 - grow_y)), (round(x1 + grow_x), round(y0 + height + grow_y))
        fill = dark if rng.random() < 0.6 else tuple(int(v) for v in np.clip(paint * rng.uniform(0.5, 1.3), 0, 255))
        cv2.rectangle(body, a, b, fill, -1)
    if rng.random() < 0.6:  # grille
        top, bottom = round(rng.uniform(0.8, 2.2) * height), round(rng.uniform(2.4, 3.7) * height)
        left, right = round(rng.uniform(0.7, 1.4) * width), round(rng.uniform(2.8, 3.5) * width)
        cv2.rectangle(body, (left, top), (right, bottom), dark, -1)
        bar = tuple(int(v) for v in rng.uniform(60, 235) + rng.uniform(0, 15, 3))
        for y in range(top, bottom, max(2, round(rng.uniform(0.15, 0.5) * height))):
            cv2.line(body, (left, y), (right, y), bar, max(1, height // 14))
    for side in (0.45, 3.75):  # lamps
        if rng.random() < 0.7:
            centre = (round(side * width), round(rng.uniform(1.0, 3.2) * height))
            axes = (round(rng.uniform(0.2, 0.5) * width), round(rng.uniform(0.3, 0.9) * height))
            lamp = rng.uniform(140, 255, 3) if rng.random() < 0.5 else rng.uniform((20, 20, 120), (80, 80, 255))
            tint = tuple(int(v) for v in lamp)
            cv2.ellipse(body, centre, axes, float(rng.uniform(-15, 15)), 0, 360, tint, -1, cv2.LINE_AA)
    if rng.random() < 0.5:  # emblem
        centre = (round(2.1 * width), round(rng.uniform(1.2, 3.3) * height))
        chrome = (int(rng.uniform(120, 250)),) * 3
        cv2.circle(body, centre, max(2, round(0.4 * height)), chrome, max(1, height // 10), cv2.LINE_AA)
    if rng.random() < 0.3:
        body[: round(rng.uniform(0.2, 1.2) * height)] = tuple(int(v) for v in rng.uniform(20, 120, 3))
    if rng.random() < 0.6:
        body[round(rng.uniform(5.4, 6.8) * height) :] = dark
    return body


def _vehicle(scene: BgrImage, corners: Corners, rng: Rng) -> None:
    """Draw a vehicle around the plate's corners, in the plate's own perspective."""
    ratio = float(np.hypot(*(corners[3] - corners[0])) / np.hypot(*(corners[1] - corners[0])))
    width, height = 96, int(np.clip(96 * ratio, 20, 60))
    body = _body(width, height, rng)
    x, y = 1.6 * width, 4.0 * height
    inner = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)
    move = cv2.getPerspectiveTransform(inner, corners.astype(np.float32))
    size = (scene.shape[1], scene.shape[0])
    seen = cv2.warpPerspective(body, move, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(np.full(body.shape[:2], 255, np.uint8), move, size, flags=cv2.INTER_NEAREST)
    scene[cover > 0] = seen[cover > 0]


class Scenes:
    """An endless, seeded stream of scenes."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._box = GlyphBox(self._rng)
        self._backs = Backdrops(self._rng)

    def draw(self) -> Scene:
        """One scene of zero to four plates; about one in seven has none."""
        rng = self._rng
        image = self._backs.crop(HEIGHT, WIDTH)
        for _ in range(int(rng.integers(0, 3))):
            if rng.random() < 0.4:
                paste(image, signboard(rng), rng)
        placed: list[Corners] = []
        count = int(rng.choice([0, 1, 2, 3, 4], p=[0.14, 0.54, 0.18, 0.09, 0.05]))
        for _ in range(count):
            corners = self._place(placed, count)
            if corners is not None:
                placed.append(corners)
        for corners in placed:
            if rng.random() < 0.72:
                _vehicle(image, corners, rng)
        for corners in placed:  # after all vehicles, so that none hides a plate
            self._draw(image, corners)
        image = degrade.light(image, rng)
        if rng.random() < 0.12:
            image = degrade.night(image, rng)
        narrow = min((float(np.hypot(*(c[1] - c[0]))) for c in placed), default=100.0)
        image = degrade.camera(image, rng, strength=float(np.clip((narrow - 12) / 70, 0.1, 0.9)))
        inside = [self._share_inside(c) > 0.93 for c in placed]
        shape = (-1, 4, 2)
        return Scene(
            image,
            np.array([c for c, ok in zip(placed, inside, strict=True) if ok], np.float64).reshape(shape),
            np.array([c for c, ok in zip(placed, inside, strict=True) if not ok], np.float64).reshape(shape),
        )

    def _place(self, placed: list[Corners], count: int) -> Corners | None:
        """Corners (4, 2) of a new plate that overlaps none of `placed`; None where no place was found."""
        rng = self._rng
        for _ in range(8):
            wide = float(np.exp(rng.uniform(np.log(NARROWEST), np.log(WIDEST / max(1, count * 0.9)))))
            aspect = float(rng.choice([440 / 140, 480 / 140, 2.0], p=[0.68, 0.26, 0.06]))
            corners = turn(wide, wide / aspect, rng, hard=float(rng.random() ** 1.5))
            corners += rng.uniform((0.02 * WIDTH, 0.04 * HEIGHT), (0.98 * WIDTH, 0.96 * HEIGHT))
            grown = corners.mean(0) + (corners - corners.mean(0)) * 1.6
            if all(_apart(grown, other) for other in placed):
                return corners
        return None

    def _draw(self, image: BgrImage, corners: Corners) -> None:
        rng = self._rng
        aspect = float(np.hypot(*(corners[1] - corners[0])) / max(np.hypot(*(corners[3] - corners[0])), 1))
        kind = str(rng.choice(KINDS[:-1], p=np.array(SHARES[:-1]) / sum(SHARES[:-1])))
        if aspect < 2.3 and rng.random() < 0.6:
            kind = "yellow_double"
        if rng.random() < 0.35:
            grown = corners.mean(0) + (corners - corners.mean(0)) * rng.uniform(1.03, 1.25)
            shade = (int(rng.integers(0, 256)),) * 3
            cv2.fillConvexPoly(image, np.round(grown * 16).astype(np.int32), shade, cv2.LINE_AA, 4)
        lay(draw_plate(kind, self._box, rng).image, corners, image)

    @staticmethod
    def _share_inside(corners: Corners) -> float:
        frame = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float32)
        area, _ = cv2.intersectConvexConvex(corners.astype(np.float32), frame)
        return float(area) / max(cv2.contourArea(corners.astype(np.float32)), 1e-3)


def _apart(a: Corners, b: Corners) -> bool:
    (ax0, ay0), (ax1, ay1), (bx0, by0), (bx1, by1) = a.min(0), a.max(0), b.min(0), b.max(0)
    return bool(ax1 < bx0 or bx1 < ax0 or ay1 < by0 or by1 < ay0)
