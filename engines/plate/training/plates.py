"""Rendered number plates with the layout of GA 36-2018 in millimetres, at SCALE pixels per millimetre."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.alphabet import DIGITS, LETTERS, PROVINCES
from inkgate.engines.plate.training.glyphs import GlyphBox

BgrImage = NDArray[np.uint8]
Rng = np.random.Generator

SCALE = 0.6


@dataclass(frozen=True, slots=True)
class Drawn:
    """A rectified plate: BGR uint8 image, its text, its background colour (one of alphabet.COLOURS), its rows, and for
    each character its span (left, right) as shares of the width, and its row.
    """

    image: BgrImage
    text: str
    colour: str
    rows: int
    spans: tuple[tuple[float, float, int], ...]


def _pick(rng: Rng, letters: str) -> str:
    return letters[int(rng.integers(len(letters)))]


def serial(rng: Rng, length: int, letter_share: float) -> str:
    """`length` digits and letters; each is a letter with the given probability."""
    return "".join(_pick(rng, LETTERS if rng.random() < letter_share else DIGITS) for _ in range(length))


def text_for(kind: str, rng: Rng) -> str:
    """A text that a plate of this kind may carry. Provinces are uniform, to avoid a bias."""
    head = _pick(rng, PROVINCES) + ("O" if rng.random() < 0.03 else _pick(rng, LETTERS))
    if kind == "green":
        third = _pick(rng, "DF" if rng.random() < 0.6 else "ABCEGHJK")
        return head + third + serial(rng, 1, 0.4) + serial(rng, 4, 0)
    if kind == "green_yellow":
        return head + serial(rng, 5, 0) + _pick(rng, "DF")
    if kind == "white":
        return head + serial(rng, 4, 0.2) + "警"
    if kind == "black":
        last = _pick(rng, "港澳领使" if rng.random() < 0.7 else DIGITS)
        return head[0] + ("Z" if rng.random() < 0.5 else head[1]) + serial(rng, 4, 0.3) + last
    if kind == "yellow":
        chance = rng.random()
        if chance < 0.18:
            return head + serial(rng, 4, 0.1) + "学"
        return head + serial(rng, 5, 0.12)
    if kind == "yellow_double":
        return head + (serial(rng, 4, 0.1) + "挂" if rng.random() < 0.5 else serial(rng, 5, 0.12))
    return head + serial(rng, 5, 0.35 if rng.random() < 0.8 else 0.8)


def _background(kind: str, width: int, height: int, rng: Rng) -> tuple[BgrImage, NDArray[np.float32]]:
    """The background colour and the colour of its characters, BGR."""
    low, high = {
        "blue": ((120, 40, 0), (235, 125, 70)),
        "yellow": ((0, 130, 190), (70, 205, 255)),
        "black": ((5, 5, 5), (50, 45, 45)),
        "white": ((200, 200, 200), (255, 255, 255)),
    }.get(kind.split("_")[0], ((90, 160, 40), (180, 235, 130)))
    colour = rng.uniform(low, high).astype(np.float32)
    background = np.broadcast_to(colour, (height, width, 3)).copy()
    if kind.startswith("green"):
        top = rng.uniform((205, 225, 190), (255, 255, 250)).astype(np.float32)
        ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** rng.uniform(0.6, 1.5)
        background = top + (background - top) * ramp if kind == "green" else background
        if kind == "green_yellow":
            background[:, : round(width * 0.31)] = rng.uniform((0, 150, 200), (60, 205, 255))
    bright = kind in ("blue", "black")
    ink = rng.uniform(200, 255, 3) if bright else rng.uniform(0, 55, 3)
    return background, ink.astype(np.float32)


def _cells(kind: str, text: str) -> list[tuple[float, float, float, float, int]]:
    """(left, top, width, height, row) of each character in millimetres."""
    if kind == "yellow_double":
        upper = [(110.0, 15.0, 80.0, 60.0, 0), (250.0, 15.0, 80.0, 60.0, 0)]
        return upper + [(27.0 + 80 * i, 90.0, 65.0, 110.0, 1) for i in range(5)]
    if kind.startswith("green"):
        widths = [45.0] + [43.0] * 7
        gaps, left, top = [9.0, 49.0, 9.0, 9.0, 9.0, 9.0, 9.0], 15.5, 25.0
        gaps = gaps if len(text) == 8 else gaps[:6]
    else:
        widths, gaps, left, top = [45.0] * 7, [12.0, 34.0, 12.0, 12.0, 12.0, 12.0], 15.5, 25.0
    cells = []
    for i in range(len(text)):
        cells.append((left, top, widths[i], 90.0, 0))
        left += widths[i] + (gaps[i] if i < len(gaps) else 0)
    return cells


def _blend(background: BgrImage, mask: BgrImage, left: int, top: int, ink: NDArray[np.float32]) -> None:
    height, width = mask.shape
    part = background[top : top + height, left : left + width]
    alpha = mask[: part.shape[0], : part.shape[1], None].astype(np.float32) / 255
    part += (ink - part) * alpha


def _furniture(background: BgrImage, kind: str, ink: NDArray[np.float32], rng: Rng) -> None:
    """Border, dot and screws."""
    height, width = background.shape[:2]
    tint = tuple(float(v) for v in ink)
    if rng.random() < 0.9:
        inset = int(rng.integers(1, 5))
        cv2.rectangle(
            background, (inset, inset), (width - 1 - inset, height - 1 - inset), tint, int(rng.integers(1, 3))
        )
    if kind in ("blue", "yellow", "black", "white") and rng.random() < 0.93:
        cv2.circle(background, (round(134 * SCALE), height // 2), int(rng.integers(2, 5)), tint, -1, cv2.LINE_AA)
    for x in (width // 4, width - width // 4):
        for y in (8, height - 8):
            if rng.random() < 0.45:
                shade = float(rng.uniform(30, 230))
                centre, radius = (x + int(rng.integers(-5, 6)), y), int(rng.integers(2, 6))
                cv2.circle(background, centre, radius, (shade, shade, shade), -1, cv2.LINE_AA)


def _wear(background: BgrImage, ink: NDArray[np.float32], rng: Rng) -> None:
    """Dirt, scratches, faded paint and soft shadows, in place."""
    height, width = background.shape[:2]
    if rng.random() < 0.25:
        small = rng.random((max(2, height // 12), max(2, width // 12)), dtype=np.float32)
        cloud = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * 2 - rng.uniform(0.7, 1.4)
        cloud = np.clip(cloud, 0, 1)
        dirt = rng.uniform((40, 50, 60), (150, 165, 180)).astype(np.float32)
        background += (dirt - background) * (cloud * rng.uniform(0.2, 0.8))[..., None]
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.25 else 0):
        a, b = rng.integers((0, 0), (width, height)), rng.integers((0, 0), (width, height))
        shade = tuple(float(v) for v in rng.uniform(20, 230, 3))
        cv2.line(
            background, tuple(int(v) for v in a), tuple(int(v) for v in b), shade, int(rng.integers(1, 3)), cv2.LINE_AA
        )
    if rng.random() < 0.1:
        background += (background.mean((0, 1)) - background) * float(rng.uniform(0.1, 0.45))


def draw_plate(kind: str, box: GlyphBox, rng: Rng, text: str | None = None) -> Drawn:
    """A plate of `kind`: blue, yellow, green, green_yellow, black, white or yellow_double."""
    text = text_for(kind, rng) if text is None else text
    long, tall = (440, 220) if kind == "yellow_double" else (480 if kind.startswith("green") else 440, 140)
    width, height = round(long * SCALE), round(tall * SCALE)
    background, ink = _background(kind, width, height, rng)
    _furniture(background, kind, ink, rng)
    style = int(rng.integers(1 << 16))
    spans = []
    for character, (left, top, w, h, row) in zip(text, _cells(kind, text), strict=True):
        tint = np.float32((20, 20, 210)) if character in "警领使" and kind == "white" else ink
        mask = box.get(character, round(w * SCALE), round(h * SCALE), style + int(character.isascii()))
        dx, dy = rng.uniform(-1.2, 1.2, 2)
        _blend(background, mask, round(left * SCALE + dx), round(top * SCALE + dy), tint)
        spans.append((left / long, (left + w) / long, row))
    _wear(background, ink, rng)
    colour = "yellow" if kind == "yellow_double" else kind
    image = np.clip(background, 0, 255).astype(np.uint8)
    return Drawn(image, text, colour, 2 if kind == "yellow_double" else 1, tuple(spans))
