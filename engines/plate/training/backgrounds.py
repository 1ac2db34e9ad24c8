"""Backgrounds for rendered plates, and negatives that resemble plates.

Backgrounds are rendered. Where scikit-image and scikit-learn are installed, the sample images in their wheels (public
domain, CC0 or CC BY) are used as well.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inkgate.engines.plate.training.degrade import cloud
from inkgate.engines.plate.training.glyphs import HAN_FONTS, LATIN_FONTS

BgrImage = NDArray[np.uint8]
Rng = np.random.Generator

_SAMPLES = {
    "skimage": (
        "data",
        (
            "astronaut.png",
            "brick.png",
            "camera.png",
            "chelsea.png",
            "coffee.png",
            "grass.png",
            "gravel.png",
            "motorcycle_left.png",
            "clock_motion.png",
            "rocket.jpg",
            "page.png",
            "text.png",
            "coins.png",
        ),
    ),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}
_SIGNBOARD_TEXT = (
    "欢迎光临停车场入口公司有限大酒店便民超市维修电话招租安全驾驶文明行车出租公交专线旅游客运中国移动银行医院学校路街"
    "号口北京上海广州深圳道站保持车距货运物流配送限高米前方施工减速慢行请勿禁止通停靠城市管理执法消防救援急"
)

_PLATE_BACKGROUNDS = (((120, 40, 0), (235, 125, 70)), ((0, 130, 190), (70, 205, 255)), ((90, 160, 40), (180, 235, 130)))


@lru_cache(maxsize=1)
def sample_images() -> tuple[BgrImage, ...]:
    """The sample images found on this machine, BGR uint8; an empty tuple where none are installed."""
    found = []
    for package, (folder, names) in _SAMPLES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        for name in names:
            image = cv2.imread(str(Path(spec.origin).parent / folder / name))
            if image is not None:
                found.append(np.asarray(image, np.uint8))
    return tuple(found)


@lru_cache(maxsize=64)
def _face(font: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size)


def signboard(rng: Rng, height: int = 48) -> BgrImage:
    """A strip of text that is no plate number: shop names, telephone numbers, dates, painted numbers."""
    kind = rng.random()
    if kind < 0.4:
        start = int(rng.integers(0, len(_SIGNBOARD_TEXT) - 9))
        text = _SIGNBOARD_TEXT[start : start + int(rng.integers(2, 9))]
    elif kind < 0.6:
        text = "".join(str(d) for d in rng.integers(0, 10, int(rng.integers(5, 12))))
    elif kind < 0.75:
        year, month, day, hour, minute = rng.integers((2010, 1, 1, 0, 0), (2030, 13, 29, 24, 60))
        text = f"{year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}"
    else:
        text = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(3, 10))))
    fonts = [f for f in (HAN_FONTS if kind < 0.4 else LATIN_FONTS) if Path(f).exists()]
    strip = rng.uniform((0, 0, 0), (255, 255, 255))
    if rng.random() < 0.5:
        strip = rng.uniform(*_PLATE_BACKGROUNDS[int(rng.integers(3))])
    ink = (255, 255, 255) if strip.mean() < 128 else (0, 0, 0)
    if rng.random() < 0.3:
        ink = tuple(int(v) for v in rng.integers(0, 256, 3))
    face = _face(str(rng.choice(fonts)), int(height * rng.uniform(0.5, 0.85)) // 4 * 4 + 4)
    box = face.getbbox(text)
    pad = int(rng.integers(2, height // 2))
    image = Image.new("RGB", (int(box[2] - box[0]) + 2 * pad, height), tuple(int(v) for v in strip))
    ImageDraw.Draw(image).text((pad - box[0], (height - (box[3] - box[1])) / 2 - box[1]), text, fill=ink, font=face)
    return np.asarray(image, np.uint8)


def _shapes(image: BgrImage, rng: Rng) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(3, 22))):
        grey = (int(rng.integers(0, 256)),) * 3
        colour = tuple(int(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.6 else grey
        x, y = int(rng.integers(-20, width)), int(rng.integers(-20, height))
        w, h = int(rng.integers(6, width // 2)), int(rng.integers(6, height // 2))
        fill = -1 if rng.random() < 0.6 else int(rng.integers(1, 6))
        kind = rng.random()
        if kind < 0.4:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, fill)
        elif kind < 0.6:
            cv2.ellipse(image, (x, y), (w // 2, h // 2), float(rng.uniform(0, 180)), 0, 360, colour, fill, cv2.LINE_AA)
        elif kind < 0.75:
            cv2.line(
                image,
                (x, y),
                (int(rng.integers(0, width)), int(rng.integers(0, height))),
                colour,
                int(rng.integers(1, 9)),
                cv2.LINE_AA,
            )
        elif kind < 0.9:
            points = (rng.uniform(0, 1, (5, 2)) * (w, h) + (x, y)).astype(np.int32)
            cv2.fillConvexPoly(image, cv2.convexHull(points), colour, cv2.LINE_AA)
        else:  # bars: grilles, fences, blinds
            step = int(rng.integers(4, 22))
            for k in range(0, min(h, 200), step):
                if w > h:
                    cv2.line(image, (x, y + k), (x + w, y + k), colour, max(1, step // 3))
                else:
                    cv2.line(image, (x + k, y), (x + k, y + h), colour, max(1, step // 3))


def drawn(height: int, width: int, rng: Rng) -> BgrImage:
    """A rendered background: vertical gradient, smooth noise, shapes, bars and text. BGR uint8 (height, width, 3)."""
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] * np.ones((1, width, 1), np.float32)
    top, bottom = rng.uniform(20, 240, 3), rng.uniform(20, 240, 3)
    if rng.random() < 0.7:
        top, bottom = np.full(3, top[0]) + rng.normal(0, 12, 3), np.full(3, bottom[0]) + rng.normal(0, 12, 3)
    value = top + (bottom - top) * ramp
    image = np.clip(value, 0, 255).astype(np.uint8)
    _shapes(image, rng)
    for _ in range(int(rng.integers(0, 5))):
        paste(image, signboard(rng), rng)
    grain = cloud(height, width, int(rng.integers(2, 60)), rng)[..., None] - 0.5
    value = image.astype(np.float32) + grain * rng.uniform(10, 110)
    return np.clip(value, 0, 255).astype(np.uint8)


def paste(image: BgrImage, strip: BgrImage, rng: Rng) -> None:
    """Draw a strip at a random place of the image, rotated and scaled."""
    height, width = image.shape[:2]
    w = rng.uniform(0.06, 0.6) * width
    h = w * strip.shape[0] / strip.shape[1]
    centre, angle = rng.uniform((0, 0), (width, height)), rng.normal(0, 0.12)
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) / 2 @ np.array([(c, s), (-s, c)]) + centre
    corners += rng.normal(0, 0.03 * h, (4, 2))
    sh, sw = strip.shape[:2]
    move = cv2.getPerspectiveTransform(np.float32([(0, 0), (sw, 0), (sw, sh), (0, sh)]), corners.astype(np.float32))
    small = cv2.warpPerspective(strip, move, (width, height), flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.full((sh, sw), 255, np.uint8), move, (width, height), flags=cv2.INTER_LINEAR)
    image[cover > 127] = small[cover > 127]


def _sampled(height: int, width: int, rng: Rng) -> BgrImage:
    images = sample_images()
    source = images[int(rng.integers(len(images)))]
    sh, sw = source.shape[:2]
    share = rng.uniform(0.3, 1.0)
    w = int(min(sw, sh * width / height) * share)
    h = int(min(sh, w * height / width))
    x, y = int(rng.integers(0, sw - w + 1)), int(rng.integers(0, sh - h + 1))
    image = np.asarray(cv2.resize(source[y : y + h, x : x + w], (width, height)), np.uint8)
    if rng.random() < 0.5:
        image = image[:, ::-1].copy()
    if rng.random() < 0.4:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    if rng.random() < 0.4:
        _shapes(image, rng)
    if rng.random() < 0.5:
        paste(image, signboard(rng), rng)
    return image


class Backdrops:
    """A bounded pool of backgrounds of 480 x 640; one entry is replaced at every `renew`-th crop."""

    def __init__(self, rng: Rng, *, size: int = 96, renew: int = 60) -> None:
        self._rng, self._renew, self._crops = rng, renew, 0
        self._pool = [self._make() for _ in range(size)]

    def _make(self) -> BgrImage:
        if sample_images() and self._rng.random() < 0.4:
            return _sampled(480, 640, self._rng)
        return drawn(480, 640, self._rng)

    def crop(self, height: int, width: int) -> BgrImage:
        """A fresh background of this size, BGR uint8."""
        rng = self._rng
        self._crops += 1
        if self._crops % self._renew == 0:
            self._pool[int(rng.integers(len(self._pool)))] = self._make()
        source = self._pool[int(rng.integers(len(self._pool)))]
        share = rng.uniform(0.15, 1.0)
        w = int(640 * share)
        h = min(480, max(8, round(w * height / width)))
        w = max(8, round(h * width / height)) if round(w * height / width) > 480 else w
        w = min(w, 640)
        x, y = int(rng.integers(0, 640 - w + 1)), int(rng.integers(0, 480 - h + 1))
        return np.asarray(
            cv2.resize(source[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )
