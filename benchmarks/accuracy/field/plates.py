"""Drawn plate images of the kinds that reports from the field name, with what must be read from them.

    python -m benchmarks.accuracy.field.plates [--count 10] [--seed 1] [--only KIND ...] [--show]

Kinds: `crop` (the image is the plate alone), `large` (one plate that fills much of an ordinary image), `bright`
(over-exposed), `tilt` (held at 20 to 40 degrees), `dirt`, `several` (three to ten plates), `none` (lettering and
shapes, no plate), `dim` (at night, its left end in the dark), `steep` (seen from the side). A case passes when the
answers have exactly the expected texts and kinds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.syntax import pattern_of
from inkgate.engines.plate.training import degrade
from inkgate.engines.plate.training.backgrounds import paste
from inkgate.engines.plate.training.glyphs import GlyphBox, draw
from inkgate.engines.plate.training.plates import draw_plate, text_for
from inkgate.engines.plate.training.reader_data import lay
from inkgate.engines.types import Image, Plate

Rng = np.random.Generator
Corners = NDArray[np.float64]
KINDS_IN_SCOPE = ("blue", "green", "yellow", "blue")
"""Kinds of successive cases; blue twice, as on the road."""


@dataclass(frozen=True, slots=True)
class PlateCase:
    """`image` BGR uint8; `plates` the (text, kind) of every plate in it, in any order."""

    name: str
    image: Image
    plates: tuple[tuple[str, str], ...]

    def passed(self, answers: list[Plate]) -> bool:
        """Whether the answers are exactly the expected texts and kinds."""
        return sorted((plate.text, plate.kind) for plate in answers) == sorted(self.plates)


def plate_image(kind: str, rng: Rng) -> tuple[Image, str]:
    """A clean plate of `kind`, BGR uint8, and its text, valid under the plate grammar."""
    text = next(text for text in (text_for(kind, rng) for _ in range(1000)) if pattern_of(text))
    return np.asarray(draw_plate(kind, GlyphBox(rng, drawn_share=1.0), rng, text).image, np.uint8), text


def rotated_corners(centre: tuple[float, float], width: float, aspect: float, degrees: float, rng: Rng) -> Corners:
    """Corners (4, 2) TL TR BR BL of a plate `width` pixels wide, rotated and slightly foreshortened."""
    height = width / aspect
    flat = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    flat[:, 1] *= 1 + rng.uniform(-0.06, 0.06) * np.sign(flat[:, 0])
    angle = np.deg2rad(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return flat @ turn + centre


def _compressed(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _background(height: int, width: int, rng: Rng) -> Image:
    """A road or wall in gradients, with soft shapes and texture."""
    rows = np.linspace(rng.uniform(60, 220), rng.uniform(40, 180), height, dtype=np.float32)[:, None, None]
    image = rows + rng.normal(0, 8, 3).astype(np.float32) + np.zeros((1, width, 1), np.float32)
    for _ in range(int(rng.integers(2, 9))):
        x, y = (int(v) for v in rng.uniform((0, 0), (width, height)))
        w, h = (int(v) for v in rng.uniform(0.05, 0.4, 2) * (width, height))
        shade = tuple(float(v) for v in rng.uniform(10, 240) + rng.normal(0, 20, 3))
        cv2.rectangle(image, (x - w // 2, y - h // 2), (x + w // 2, y + h // 2), shade, -1)
    image = cv2.GaussianBlur(image, (0, 0), width / 300)
    texture = degrade.cloud(height, width, int(rng.integers(5, 60)), rng)[..., None] - 0.5
    return np.clip(image + texture * rng.uniform(5, 50), 0, 255).astype(np.uint8)


def sign(rng: Rng) -> Image:
    """A sign in the colours of a plate, BGR uint8 (60, n, 3), whose text is not a plate number."""
    length = int(rng.choice([4, 5, 6, 10, 11, 12]))  # a plate has seven or eight characters
    text = "".join(str(c) for c in rng.choice(list("0123456789ABCDEFGHJKLMNPRSTUVWXYZ"), length))
    ground, ink = (((170, 80, 20), 250), ((20, 170, 230), 20), ((90, 170, 60), 250), ((240, 240, 240), 30))[
        int(rng.integers(4))
    ]
    image = np.full((60, 24 + 30 * length, 3), ground, np.uint8)
    for k, character in enumerate(text):
        mask = draw(character, 24, 44, rng)[..., None] / 255
        part = image[8:52, 15 + 30 * k : 39 + 30 * k]
        part[:] = (part + (ink - part.astype(np.float32)) * mask).astype(np.uint8)
    return image


def crop(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """The plate alone: margins of 0 to 10 % of its width, 80 to 900 pixels wide, slightly rotated."""
    plate, text = plate_image(kind, rng)
    aspect = plate.shape[1] / plate.shape[0]
    wide = float(np.exp(rng.uniform(np.log(120), np.log(900))))
    margin = rng.uniform(-0.005, 0.1, 2) * wide * (1, 0.6)
    corners = rotated_corners((0, 0), wide, aspect, rng.uniform(-4, 4) if rng.random() < 0.6 else 0.0, rng)
    corners = corners - corners.min(0) + margin
    size = np.ceil(corners.max(0) + margin).astype(int)
    image = np.full((max(int(size[1]), 33), max(int(size[0]), 33), 3), rng.uniform(15, 200), np.uint8)
    lay(plate, corners, image)
    image = cv2.GaussianBlur(image, (0, 0), 0.4 + wide / 700)
    return _compressed(np.asarray(image, np.uint8), int(rng.integers(70, 96))), [(text, kind)]


def large(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """One plate of 30 to 92 % of the image's width, slightly rotated."""
    plate, text = plate_image(kind, rng)
    width = int(rng.integers(480, 2000))
    height = int(width * rng.choice([0.5625, 0.75, 1.0]))
    wide, degrees = width * rng.uniform(0.3, 0.92), rng.uniform(-12, 12)
    corners = rotated_corners((0, 0), wide, plate.shape[1] / plate.shape[0], degrees, rng)
    room = np.maximum((width, height) - np.ptp(corners, axis=0), 0)
    corners = corners - corners.min(0) + room * rng.uniform(0.1, 0.9, 2)
    image = _background(height, width, rng)
    lay(plate, corners, image)
    image = cv2.GaussianBlur(image, (0, 0), 0.5 + wide / 700)
    return _compressed(np.asarray(image, np.uint8), int(rng.integers(70, 96))), [(text, kind)]


def _scene(rng: Rng, kind: str, degrees: float, change: Callable[[Image], Image]) -> tuple[Image, str]:
    """A car with one plate of 110 to 260 pixels in an image of 960 x 720; `change` is applied to the flat plate."""
    plate, text = plate_image(kind, rng)
    aspect = plate.shape[1] / plate.shape[0]
    wide = rng.uniform(110, 260)
    centre = (float(rng.uniform(300, 660)), float(rng.uniform(300, 480)))
    corners = rotated_corners(centre, wide, aspect, degrees, rng)
    image = _background(720, 960, rng)
    body = centre + (corners - corners.mean(0)) * (2.6, 2.6)
    cv2.fillConvexPoly(image, np.round(body).astype(np.int32), (int(rng.integers(20, 235)),) * 3, cv2.LINE_AA)
    lay(change(plate), corners, image)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8), text


def over_exposed(image: Image, rng: Rng, strength: float) -> Image:
    """The image in strong light: gain, veiling glare, clipping. `strength` 0..1; at 1 blue is nearly white."""
    value = image.astype(np.float32) / 255 * (1 + 0.5 * strength) + 0.46 * strength
    value += (degrade.cloud(*image.shape[:2], 2, rng) * 0.15 * strength)[..., None]
    return np.clip(value * 255, 0, 255).astype(np.uint8)


def bright(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """A plate in strong light, its background colour partly lost."""
    image, text = _scene(rng, kind, rng.uniform(-4, 4), lambda plate: plate)
    return _compressed(over_exposed(image, rng, rng.uniform(0.4, 1.0)), 90), [(text, kind)]


def tilt(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """A plate held at 20 to 40 degrees to either side."""
    degrees = float(rng.uniform(20, 40) * rng.choice([-1, 1]))
    image, text = _scene(rng, kind, degrees, lambda plate: plate)
    return _compressed(image, 90), [(text, kind)]


def muddy(plate: Image, rng: Rng) -> Image:
    """The plate under thin mud: splashes and a film, thick enough to be seen and thin enough to be read."""
    height, width = plate.shape[:2]
    mud = rng.uniform((50, 70, 90), (110, 135, 155))
    film = np.clip(degrade.cloud(height, width, 5, rng) * 1.6 - 0.5, 0, 1) * rng.uniform(0.3, 0.6)
    specks = (degrade.cloud(height, width, 40, rng) > 0.86).astype(np.float32) * 0.75
    cover = np.maximum(film, cv2.GaussianBlur(specks, (0, 0), 0.8))[..., None]
    return np.clip(plate + (mud - plate) * cover, 0, 255).astype(np.uint8)


def dirt(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """A plate under mud."""
    image, text = _scene(rng, kind, rng.uniform(-6, 6), lambda plate: muddy(plate, rng))
    return _compressed(image, 90), [(text, kind)]


def several(rng: Rng, _: str) -> tuple[Image, list[tuple[str, str]]]:
    """A car park of 1920 x 1080 with three to ten plates of 80 to 150 pixels."""
    image = _background(1080, 1920, rng)
    cells = rng.permutation(15)[: int(rng.integers(3, 11))]
    expected = []
    for cell in cells.tolist():
        kind = str(rng.choice(KINDS_IN_SCOPE))
        plate, text = plate_image(kind, rng)
        centre = (384 * (cell % 5) + rng.uniform(150, 234), 360 * (cell // 5) + rng.uniform(150, 290))
        aspect = plate.shape[1] / plate.shape[0]
        corners = rotated_corners(centre, rng.uniform(80, 150), aspect, rng.uniform(-6, 6), rng)
        body = centre + (corners - corners.mean(0)) * (2.1, 3.4)
        cv2.fillConvexPoly(image, np.round(body).astype(np.int32), (int(rng.integers(20, 235)),) * 3, cv2.LINE_AA)
        lay(plate, corners, image)
        expected.append((text, kind))
    return _compressed(np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6), np.uint8), 92), expected


def none(rng: Rng, _: str) -> tuple[Image, list[tuple[str, str]]]:
    """Signs of a plate's shape and colours, alone or in a scene; no plate."""
    if rng.random() < 0.5:  # the sign fills the image as a plate would
        scale = rng.uniform(1, 5)
        return _compressed(np.asarray(cv2.resize(sign(rng), None, fx=scale, fy=scale), np.uint8), 90), []
    image = _background(int(rng.integers(360, 1000)), int(rng.integers(480, 1400)), rng)
    for _ in range(int(rng.integers(1, 5))):
        paste(image, sign(rng), rng)
    return _compressed(image, 90), []


def dim(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """A large plate at night, whose left end fades into the dark."""
    plate, text = plate_image(kind, rng)
    width, height = 720, 1160
    wide = rng.uniform(0.28, 0.45) * width
    centre = (float(rng.uniform(280, 440)), float(rng.uniform(400, 800)))
    corners = rotated_corners(centre, wide, plate.shape[1] / plate.shape[0], rng.uniform(-6, 6), rng)
    image = _background(height, width, rng)
    lay(plate, corners, image)
    along = (np.arange(width) - corners[:, 0].min()) / (0.45 * wide)
    light = rng.uniform(0.15, 0.3) * np.clip(0.35 + 0.65 * along, 0.3, 1)
    dark = image * light[None, :, None] + rng.normal(0, 5, image.shape) + 6
    blurred = cv2.GaussianBlur(dark, (0, 0), 1.2)
    return _compressed(np.clip(blurred, 0, 255).astype(np.uint8), 70), [(text, kind)]


def steep(rng: Rng, kind: str) -> tuple[Image, list[tuple[str, str]]]:
    """A plate seen from the side: 50 to 65 % of its width, the far end smaller."""
    plate, text = plate_image(kind, rng)
    wide = rng.uniform(130, 240)
    half, short = wide * rng.uniform(0.25, 0.325), wide * plate.shape[0] / plate.shape[1] / 2
    far = short * rng.uniform(0.75, 0.85)
    left, right = (short, far) if rng.random() < 0.5 else (far, short)
    corners = np.array([(-half, -left), (half, -right), (half, right), (-half, left)])
    corners[:, 1] += corners[:, 0] * rng.uniform(-0.25, 0.25)
    corners += rng.uniform((300, 300), (660, 480))
    image = _background(720, 960, rng)
    lay(plate, corners, image)
    return _compressed(np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8), 90), [(text, kind)]


GENERATORS: dict[str, Callable[[Rng, str], tuple[Image, list[tuple[str, str]]]]] = {
    function.__name__: function for function in (crop, large, bright, tilt, dirt, several, none, dim, steep)
}


def cases(kind: str, count: int, seed: int = 1) -> Iterator[PlateCase]:
    """`count` cases of a kind of GENERATORS; the same for the same seed. Raises KeyError for an unknown kind."""
    for k in range(count):
        rng = np.random.default_rng([seed, k, list(GENERATORS).index(kind)])
        image, plates = GENERATORS[kind](rng, KINDS_IN_SCOPE[k % len(KINDS_IN_SCOPE)])
        yield PlateCase(f"{kind}_{k}", image, tuple(plates))


def main() -> None:
    from inkgate.engines.registry import open_plate_reader

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--show", action="store_true", help="print every case that fails")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    reader = open_plate_reader()
    reader.warmup()
    for kind in options.only:
        passed, texts, plates, extra, times = 0, 0, 0, 0, []
        for case in cases(kind, options.count, options.seed):
            began = time.process_time()
            answers = reader.read(case.image)
            times.append(1000 * (time.process_time() - began))
            passed += case.passed(answers)
            right = {plate.text for plate in answers} & {text for text, _ in case.plates}
            texts, plates, extra = texts + len(right), plates + len(case.plates), extra + len(answers) - len(right)
            if options.show and not case.passed(answers):
                got = [(plate.text, plate.kind, round(plate.confidence, 2)) for plate in answers]
                print(case.name, case.image.shape[:2], list(case.plates), "->", got)
        figures = {
            "passed": passed,
            "of": options.count,
            "plates": plates,
            "texts_right": texts,
            "wrong_answers": extra,
        }
        print(kind, json.dumps(figures | {"cpu_ms_median": round(float(np.median(times)))}), flush=True)


if __name__ == "__main__":
    main()
