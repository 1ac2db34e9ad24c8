"""The shipped plate networks on drawn images: every kind, every turn, every size, and images without plates."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from benchmarks.accuracy.field.plates import cases, plate_image, rotated_corners
from inkgate.engines.imaging import decode
from inkgate.engines.plate import PlateReader
from inkgate.engines.plate.training.glyphs import GlyphBox
from inkgate.engines.plate.training.plates import draw_plate
from inkgate.engines.plate.training.reader_data import lay
from inkgate.engines.registry import open_plate_reader
from inkgate.engines.types import Plate


@pytest.fixture(scope="module")
def reader() -> PlateReader:
    cv2.setNumThreads(1)
    return open_plate_reader()


def flat(kind: str, text: str) -> np.ndarray:
    """A clean plate, always the same."""
    rng = np.random.default_rng(abs(sum(ord(c) * 31**k for k, c in enumerate(kind + text))) % 2**32)
    return draw_plate(kind, GlyphBox(rng, drawn_share=1.0), rng, text).image


def street(*plates: tuple[str, str, float, float, float], size: tuple[int, int] = (720, 960)) -> np.ndarray:
    """Cars on a road, each with (kind, text, x, y, width) of its plate's top left corner and width in pixels."""
    height, width = size
    ramp = np.linspace(200, 70, height)[:, None, None] * np.ones((1, width, 3))
    image = ramp.astype(np.uint8)
    for kind, text, x, y, wide in plates:
        plate = flat(kind, text)
        tall = wide * plate.shape[0] / plate.shape[1]
        a, b = (int(x - wide), int(y - 4 * tall)), (int(x + 2 * wide), int(y + 2.2 * tall))
        cv2.rectangle(image, a, b, (150, 150, 155), -1)
        cv2.rectangle(image, (a[0], int(y - 1.8 * tall)), (b[0], int(y - 0.9 * tall)), (40, 40, 45), -1)
        corners = np.array([(x, y), (x + wide, y + 0.02 * wide), (x + wide, y + tall + 0.02 * wide), (x, y + tall)])
        lay(plate, corners, image)
    return cv2.GaussianBlur(image, (3, 3), 0)


def texts(plates: list[Plate]) -> list[str]:
    return [plate.text for plate in plates]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("blue", "粤B7K2M9"),
        ("yellow", "鲁H31847"),
        ("green", "沪AD46281"),
        ("blue", "京N8J5Q6"),
        ("yellow", "川A2746学"),
    ],
)
def test_kinds_in_scope(reader: PlateReader, kind: str, text: str) -> None:
    found = reader.read(street((kind, text, 380, 420, 190)))
    assert [(p.text, p.kind, p.in_scope, p.rows) for p in found] == [(text, kind, True, 1)]
    assert found[0].confidence > 0.5
    wanted = np.array([(380, 420), (570, 423.8)])
    assert np.abs(np.array(found[0].quad[:2]) - wanted).max() < 0.05 * 190


def test_several_in_reading_order(reader: PlateReader) -> None:
    image = street(
        ("blue", "粤B7K2M9", 160, 200, 110),
        ("green", "沪AD46281", 640, 206, 120),
        ("blue", "津C53871", 380, 560, 180),
    )
    assert texts(reader.read(image)) == ["粤B7K2M9", "沪AD46281", "津C53871"]


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_turned_images(reader: PlateReader, quarter_turns: int) -> None:
    upright = street(("blue", "津C53871", 360, 380, 200))
    turned = np.ascontiguousarray(np.rot90(upright, quarter_turns))
    found = reader.read(turned)
    assert texts(found) == ["津C53871"]
    shade = np.zeros(upright.shape[:2], np.uint8)
    shade[380:445, 360:560] = 1
    ys, xs = np.nonzero(np.rot90(shade, quarter_turns))
    middle = np.mean(found[0].quad, axis=0)
    assert np.abs(middle - (xs.mean(), ys.mean())).max() < 12
    first = np.array(found[0].quad[0])  # top left of the text, wherever it lies in the image
    wanted = {1: (xs.min(), ys.max()), 2: (xs.max(), ys.max()), 3: (xs.max(), ys.min())}[quarter_turns]
    assert np.abs(first - wanted).max() < 20


def test_exif_orientation_is_the_viewers(reader: PlateReader) -> None:
    upright = street(("blue", "津C53871", 360, 380, 200))
    stored = np.ascontiguousarray(np.rot90(upright, 1))  # orientation 6: to be shown turned clockwise
    exif = Pil.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    Pil.fromarray(stored[..., ::-1]).save(data, "JPEG", quality=95, exif=exif)
    found = reader.read(decode(data.getvalue(), 25_100_000))
    assert texts(found) == ["津C53871"]
    assert found[0].quad[0][0] == pytest.approx(360, abs=12)


def test_a_plate_fills_the_image(reader: PlateReader) -> None:
    plate = cv2.copyMakeBorder(flat("blue", "粤B7K2M9"), 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    assert texts(reader.read(np.asarray(plate))) == ["粤B7K2M9"]


def test_grey_and_night(reader: PlateReader) -> None:
    day = street(("blue", "粤B7K2M9", 380, 420, 190))
    grey = cv2.cvtColor(cv2.cvtColor(day, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert texts(reader.read(np.asarray(grey), extras=True)) == ["粤B7K2M9"]
    night = (day.astype(np.float32) * 0.3).astype(np.uint8)
    assert texts(reader.read(night)) == ["粤B7K2M9"]


def test_the_largest_and_the_smallest_image(reader: PlateReader) -> None:
    large = street(("blue", "粤B7K2M9", 3900, 4200, 240), size=(4999, 4999))
    assert texts(reader.read(large)) == ["粤B7K2M9"]
    assert reader.read(np.zeros((33, 33, 3), np.uint8)) == []


def test_other_kinds_come_with_extras_only(reader: PlateReader) -> None:
    image = street(("white", "京A1746警", 380, 420, 190))
    assert reader.read(image) == []
    found = reader.read(image, extras=True)
    assert [(p.text, p.kind, p.in_scope) for p in found] == [("京A1746警", "white", False)]
    assert len(found[0].char_scores) == 7


def test_images_without_plates(reader: PlateReader) -> None:
    rng = np.random.default_rng(5)
    page = np.full((900, 700, 3), 250, np.uint8)
    for row, line in enumerate(
        ["SHENZHEN EXPRESS 400-820-8820", "2024-05-18 10:24:31", "A8B9C7 D12345", "No. 91440300MA5EYU"]
    ):
        cv2.putText(page, line, (40, 120 + 140 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (20, 20, 20), 3)
    sign = np.full((300, 600, 3), (180, 90, 20), np.uint8)
    cv2.putText(sign, "HOTEL 88321", (60, 180), cv2.FONT_HERSHEY_SIMPLEX, 2.4, (255, 255, 255), 8)
    for image in (
        page,
        sign,
        rng.integers(0, 256, (480, 640, 3), dtype=np.uint8),
        np.full((800, 600, 3), 128, np.uint8),
    ):
        assert reader.read(image) == []


@pytest.mark.parametrize("kind", ["crop", "large", "bright", "tilt", "dirt", "several", "dim", "steep"])
def test_kinds_that_reports_name(reader: PlateReader, kind: str) -> None:
    passed = {case.name: case.passed(reader.read(case.image)) for case in cases(kind, 10, seed=20)}
    assert sum(passed.values()) >= 9, passed


def test_signs_are_no_plates(reader: PlateReader) -> None:
    answers = {case.name: texts(reader.read(case.image)) for case in cases("none", 12, seed=20)}
    assert not any(answers.values()), answers


@pytest.mark.parametrize("kind", ["blue", "yellow", "green"])
@pytest.mark.parametrize("margin", [0, 2, 6, 14])
@pytest.mark.parametrize("width", [110, 320])
def test_the_image_is_the_plate_alone(reader: PlateReader, kind: str, margin: int, width: int) -> None:
    plate, text = plate_image(kind, np.random.default_rng(width + margin))
    small = cv2.resize(plate, (width, round(width * plate.shape[0] / plate.shape[1])), interpolation=cv2.INTER_AREA)
    edge = cv2.copyMakeBorder(small, *[margin] * 4, cv2.BORDER_CONSTANT, value=(60, 60, 60))
    assert [(p.text, p.kind) for p in reader.read(np.asarray(edge))] == [(text, kind)]


@pytest.mark.parametrize("degrees", [-38, -30, -22, 22, 30, 38])
def test_a_tilted_plate_keeps_its_corners(reader: PlateReader, degrees: int) -> None:
    plate, text = plate_image("blue", np.random.default_rng(3))
    image = np.full((600, 800, 3), 120, np.uint8)
    corners = rotated_corners((420, 310), 240, 440 / 140, degrees, np.random.default_rng(4))
    lay(plate, corners, image)
    (found,) = reader.read(cv2.GaussianBlur(image, (0, 0), 0.8))
    assert found.text == text
    assert np.abs(np.array(found.quad) - corners).max() < 0.06 * 240
