"""Training samples of the recognisers: rendered plates with augmentation, rectified with inexact corners."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.alphabet import CHARACTERS, COLOURS
from inkgate.engines.plate.rectify import HEIGHT, WIDTH, canonical_corners, stack_rows
from inkgate.engines.plate.training import degrade
from inkgate.engines.plate.training.backgrounds import Backdrops, signboard
from inkgate.engines.plate.training.glyphs import GlyphBox
from inkgate.engines.plate.training.plates import Drawn, draw_plate

BgrImage = NDArray[np.uint8]
Rng = np.random.Generator
KINDS = ("blue", "yellow", "green", "green_yellow", "black", "white", "yellow_double")
SHARES = (0.44, 0.17, 0.23, 0.03, 0.05, 0.03, 0.05)
FRAMES = WIDTH // 4
"""Time steps of the first recogniser: one per 4 pixels of its input."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`image` BGR uint8 (HEIGHT, WIDTH, 3); `classes` of the text, empty for no plate; `frames` the class of every
    time step (blank between characters); `colour` an index into COLOURS; `rows` 1, 2, or 0 where unknown."""

    image: BgrImage
    classes: tuple[int, ...]
    frames: NDArray[np.int64]
    colour: int
    rows: int


def turn(width: float, height: float, rng: Rng, *, hard: float) -> NDArray[np.float64]:
    """Corners (4, 2) of a plate of this size in a random perspective around the origin. `hard` 0..1 widens the angles.

    Rotation by yaw, pitch and roll, then perspective projection; the shear stands for lens distortion and for plates
    that are not flat.
    """
    flat = np.array([(-width, -height, 0), (width, -height, 0), (width, height, 0), (-width, height, 0)]) / 2
    yaw, pitch, roll = rng.normal(0, (0.12 + 0.5 * hard, 0.10 + 0.35 * hard, 0.03 + 0.2 * hard))
    yaw, pitch = float(np.clip(yaw, -1.1, 1.1)), float(np.clip(pitch, -0.9, 0.9))
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(t), np.sin(t)) for t in (yaw, pitch, roll))
    about_upright = np.array([(cy, 0, sy), (0, 1, 0), (-sy, 0, cy)])
    about_level = np.array([(1, 0, 0), (0, cp, -sp), (0, sp, cp)])
    about_view = np.array([(cr, -sr, 0), (sr, cr, 0), (0, 0, 1)])
    turned = flat @ (about_view @ about_level @ about_upright).T
    distance = width * rng.uniform(2.0, 8.0)
    seen = turned[:, :2] * (distance / (distance + turned[:, 2]))[:, None]
    lean, slope = rng.normal(0, 0.02 + 0.22 * hard, 2)
    return np.asarray(seen @ np.array([(1, np.clip(slope, -0.5, 0.5)), (np.clip(lean, -0.7, 0.7), 1)]))


def lay(plate: BgrImage, corners: NDArray[np.float64], background: BgrImage) -> None:
    """Warp the plate into `background` at the corners, in place, with anti-aliasing."""
    width = plate.shape[1]
    span = max(np.hypot(*(corners[1] - corners[0])), np.hypot(*(corners[2] - corners[3])), 4.0)
    scale = min(1.0, 1.3 * span / width)
    small = plate if scale == 1.0 else cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sh, sw = small.shape[:2]
    x0, y0 = np.floor(corners.min(0)).astype(int) - 2
    x1, y1 = np.ceil(corners.max(0)).astype(int) + 3
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, background.shape[1]), min(y1, background.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    move = cv2.getPerspectiveTransform(
        np.float32([(0, 0), (sw, 0), (sw, sh), (0, sh)]) - np.float32(0.5), (corners - (x0, y0)).astype(np.float32)
    )
    size = (int(x1 - x0), int(y1 - y0))
    seen = cv2.warpPerspective(small, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(cover, np.round((corners - (x0, y0)) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    alpha = cover[..., None].astype(np.float32) / 255
    part = background[y0:y1, x0:x1]
    part[:] = np.clip(part + (seen.astype(np.float32) - part) * alpha, 0, 255).astype(np.uint8)


class ReaderSamples:
    """An endless, seeded stream of samples."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._box = GlyphBox(self._rng)
        self._backs = Backdrops(self._rng, size=48)

    def draw(self) -> Sample:
        """One sample; about one in nine is no plate."""
        return self._negative() if self._rng.random() < 0.11 else self._plate()

    def _negative(self) -> Sample:
        rng = self._rng
        image = self._backs.crop(HEIGHT, WIDTH)
        if rng.random() < 0.5:
            lettering = signboard(rng)
            image = np.asarray(cv2.resize(lettering, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        image = degrade.camera(degrade.light(image, rng), rng)
        return Sample(image, (), np.zeros(FRAMES, np.int64), 0, 0)

    def _plate(self) -> Sample:
        return self._cut(*self.scene())

    def scene(self, rows: int | None = None, margin: float = 0.14) -> tuple[BgrImage, NDArray[np.float64], Drawn]:
        """A rendered plate before it is rectified: BGR uint8 image, corners (4, 2) TL TR BR BL in pixels, the plate.
        `rows`: 1 leaves out the kinds of two rows; `margin`: background around, in plate widths."""
        rng = self._rng
        kind = str(rng.choice(KINDS, p=SHARES))
        while rows == 1 and kind == "yellow_double":
            kind = str(rng.choice(KINDS, p=SHARES))
        plate = draw_plate(kind, self._box, rng)
        wide = float(np.exp(rng.uniform(np.log(34), np.log(250))))
        tall = wide * plate.image.shape[0] / plate.image.shape[1]
        hard = rng.random() ** 2
        corners = turn(wide, tall, rng, hard=float(hard))
        around = margin * wide
        corners = corners - corners.min(0) + around
        size = np.ceil(corners.max(0) + around).astype(int)
        scene = self._backs.crop(int(size[1]), int(size[0]))
        self._frame(scene, corners)
        lay(plate.image, corners, scene)
        scene = degrade.light(scene, rng)
        if rng.random() < 0.1:
            scene = degrade.night(scene, rng)
        scene = degrade.camera(scene, rng, strength=float(np.clip((wide - 30) / 110, 0.25, 1.0)))
        return scene, corners, plate

    def _frame(self, scene: BgrImage, corners: NDArray[np.float64]) -> None:
        if self._rng.random() < 0.5:
            centre = corners.mean(0)
            grown = centre + (corners - centre) * self._rng.uniform(1.03, 1.25)
            shade = (int(self._rng.integers(0, 256)),) * 3
            if self._rng.random() < 0.3:
                shade = tuple(int(v) for v in self._rng.integers(0, 256, 3))
            cv2.fillConvexPoly(scene, np.round(grown * 16).astype(np.int32), shade, cv2.LINE_AA, 4)

    def _cut(self, scene: BgrImage, corners: NDArray[np.float64], plate: Drawn) -> Sample:
        rng = self._rng
        wide = np.hypot(*(corners[1] - corners[0]))
        off = rng.normal(0, rng.choice([0.008, 0.02, 0.035]), (4, 2)) * wide
        off += rng.normal(0, 0.01, 2) * wide
        off[:, 1] *= 0.7
        quad = corners + off
        flat = canonical_corners(plate.rows)
        move = cv2.getPerspectiveTransform(quad.astype(np.float32), flat)
        height = HEIGHT if plate.rows == 1 else 2 * HEIGHT
        image = cv2.warpPerspective(scene, move, (WIDTH, height), borderMode=cv2.BORDER_REPLICATE)
        true = cv2.perspectiveTransform(corners.astype(np.float32)[None], move)[0]
        if plate.rows == 2:
            image = stack_rows(image)
        classes = tuple(CHARACTERS.index(c) + 1 for c in plate.text)
        frames = self._frames(true, plate, classes)
        return Sample(image, classes, frames, COLOURS.index(plate.colour), plate.rows)

    @staticmethod
    def _frames(true: NDArray[np.float32], plate: Drawn, classes: tuple[int, ...]) -> NDArray[np.int64]:
        """Target class of each time step: the character in the middle of its span, blank between; -1 is ignored."""
        frames = np.zeros(FRAMES, np.int64)
        if plate.rows == 2:
            return np.full(FRAMES, -1, np.int64)
        left, right = float(true[[0, 3], 0].mean()), float(true[[1, 2], 0].mean())
        for (a, b, _), cls in zip(plate.spans, classes, strict=True):
            middle, half = (a + b) / 2, (b - a) / 2
            x0 = (left + (right - left) * (middle - 0.62 * half)) / 4
            x1 = (left + (right - left) * (middle + 0.62 * half)) / 4
            frames[max(0, round(x0)) : max(0, min(FRAMES, max(round(x1), round(x0) + 1)))] = cls
        return frames
