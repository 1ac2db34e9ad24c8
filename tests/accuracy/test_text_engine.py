"""One suite over every runtime: the same images, the same demands.

The runtimes tested are those named in INKGATE_TEST_RUNTIMES (default: onnx). One that is named and cannot be loaded
fails: it is never skipped. `paddle` reads with the carried PP-OCRv6 files through ONNX Runtime, `paddle_static` with
PP-OCRv4 on PaddlePaddle itself, from a folder as an operator lays it out.
"""

from __future__ import annotations

import io
import math
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.registry import open_text_engine
from inkgate.engines.types import Page
from tests.accuracy.paddle_models import lay_out

SAMPLE = Path(__file__).parents[2] / "service" / "samples" / "general.jpg"
TRUTH = [
    "图书馆开放通知",
    "各位读者：",
    "自2026年12月1日起，阅览室开放时间调整为每日",
    "8:30至21:00，借阅上限由5册增加到10册。",
    "Thereadingroomopensat8:30a.m.everyday.",
    "咨询电话：010-55501234编号：TS-2026-0417",
    "城东图书馆",
]
CHARACTERS = sum(map(len, TRUTH))
RUNTIMES = os.environ.get("INKGATE_TEST_RUNTIMES", "onnx").split(",")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | None]:
    """The model folder that each runtime under test is given."""
    given: dict[str, Path | None] = dict.fromkeys(RUNTIMES)
    if "paddle_static" in given:
        given["paddle_static"] = lay_out(tmp_path_factory.mktemp("v4"))
    return given


def opened(runtime: str, folders: dict[str, Path | None]) -> TextEngine:
    return open_text_engine(runtime.removesuffix("_static"), "balanced", 1, folders[runtime])


@pytest.fixture(scope="module", params=RUNTIMES)
def engine(request: pytest.FixtureRequest, folders: dict[str, Path | None]) -> Iterator[TextEngine]:
    engine = opened(request.param, folders)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return decode(SAMPLE.read_bytes(), 10_000_000)


def distance(a: str, b: str) -> int:
    """Edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(previous + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def errors(page: Page) -> int:
    """Characters to change in the page's text, lines in the page's order, to make it the sample's."""
    folded = str.maketrans({" ": None, ":": "：", ",": "，", ".": "。"})
    read = "\n".join(line.text for line in page.lines).translate(folded)
    return distance(read, "\n".join(TRUTH).translate(folded))


def title(page: Page) -> np.ndarray:
    return np.array(next(line.quad for line in page.lines if "图书馆开放通知" in line.text))


def middles(page: Page) -> np.ndarray:
    """The middle of each line, (n, 2)."""
    return np.array([np.mean(line.quad, axis=0) for line in page.lines])


def test_every_line_in_order(engine: TextEngine, sample: np.ndarray) -> None:
    page = engine.read(sample)
    assert (page.width, page.height, page.angle) == (900, 560, 0)
    assert len(page.lines) == len(TRUTH)
    assert errors(page) <= 0.02 * CHARACTERS
    assert all(0.9 < line.score <= 1 for line in page.lines)
    # The title's ink was drawn around (450, 80), 46 pixels high.
    assert np.allclose(title(page).mean(axis=0), (450, 80), atol=6)


@pytest.mark.parametrize(("code", "angle"), [(0, 270), (1, 180), (2, 90)])  # cv2's codes: 90, 180, 270 clockwise
def test_turned_pages_are_read_upright_with_boxes_as_sent(
    engine: TextEngine, sample: np.ndarray, code: int, angle: int
) -> None:
    page = engine.read(np.ascontiguousarray(cv2.rotate(sample, code)))
    assert page.angle == angle
    assert errors(page) <= 0.03 * CHARACTERS
    centre = {0: (560 - 1 - 80, 450), 1: (900 - 1 - 450, 560 - 1 - 80), 2: (80, 900 - 1 - 450)}[code]
    quad = title(page)
    assert np.allclose(quad.mean(axis=0), centre, atol=6)
    # From the text's top-left to its top-right is the way the text runs.
    along = (quad[1] - quad[0]) / np.linalg.norm(quad[1] - quad[0])
    assert np.allclose(along, {0: (0, 1), 1: (-1, 0), 2: (0, -1)}[code], atol=0.1)


@pytest.mark.parametrize("tag", [3, 6])
def test_a_photograph_is_read_as_its_exif_turns_it(engine: TextEngine, sample: np.ndarray, tag: int) -> None:
    stored = cv2.rotate(sample, {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_COUNTERCLOCKWISE}[tag])
    exif, file = Pillow.Exif(), io.BytesIO()
    exif[0x0112] = tag
    Pillow.fromarray(stored[:, :, ::-1]).save(file, "JPEG", quality=95, exif=exif)
    page = engine.read(decode(file.getvalue(), 10_000_000))
    assert (page.width, page.height, page.angle) == (900, 560, 0)
    assert errors(page) <= 0.03 * CHARACTERS
    assert np.allclose(title(page).mean(axis=0), (450, 80), atol=6)


@pytest.mark.parametrize("degrees", [-7, 4])
def test_small_tilts(engine: TextEngine, sample: np.ndarray, degrees: float) -> None:
    turned = cv2.getRotationMatrix2D((450, 280), degrees, 0.9)
    page = engine.read(cv2.warpAffine(sample, turned, (900, 560), borderValue=(240, 240, 240)))
    assert page.angle == 0
    assert errors(page) <= 0.03 * CHARACTERS
    quad = title(page)
    assert np.allclose(quad.mean(axis=0), turned @ (450, 80, 1), atol=6)
    along = quad[1] - quad[0]
    assert math.degrees(math.atan2(along[1], along[0])) == pytest.approx(-degrees, abs=2)


def test_white_on_dark(engine: TextEngine, sample: np.ndarray) -> None:
    page = engine.read(255 - sample)
    assert errors(page) <= 0.03 * CHARACTERS
    assert np.allclose(title(page).mean(axis=0), (450, 80), atol=6)


@pytest.mark.parametrize("scale", [0.5, 3.0, 6.0])  # 450 x 280 to 5400 x 3360 pixels
def test_small_and_huge(engine: TextEngine, sample: np.ndarray, scale: float) -> None:
    page = engine.read(cv2.resize(sample, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    assert errors(page) <= 0.05 * CHARACTERS
    assert np.allclose(title(page).mean(axis=0) / scale, (450, 80), atol=8)


def test_an_image_of_one_small_word(engine: TextEngine, sample: np.ndarray) -> None:
    word = cv2.resize(sample[50:112, 280:620], (132, 24), interpolation=cv2.INTER_AREA)
    page = engine.read(word)
    assert "".join(line.text for line in page.lines) == "图书馆开放通知"
    corners = np.array([line.quad for line in page.lines]).reshape(-1, 2)
    assert np.allclose((corners.min(axis=0), corners.max(axis=0)), ((4, 3), (128, 21)), atol=5)


FIELDS = ["OK", "77", "128.00", "A4", "40%", "Hi", "11:30", "No.1", "2026-04-17", "13800138000"]


@pytest.mark.parametrize("margin", [0, 3])
def test_tightly_cropped_fields(engine: TextEngine, margin: int) -> None:
    """No margin around the ink; several of them are words upside down too."""
    sizes = (14, 22, 36)
    read = {
        (text, size): "".join(line.text for line in engine.read(drawn(text, size, margin)).lines)
        for text in FIELDS
        for size in sizes
    }
    wrong = {case: got for case, got in read.items() if got != case[0]}
    assert len(wrong) <= len(read) // 10, wrong


SENTENCES = [
    "Chapter 4 begins on page 9 of volume 2.",
    "We need 5 bolts and 3 nuts of size M.",
    "The train on platform 6 leaves in 8 minutes.",
    "Set x to 7 and y to 9 before step 2.",
    "I have a dog, a cat and 6 birds.",
    "Every 7 hours take a pill with 4 glasses.",
]


@pytest.mark.parametrize("size", [18, 24, 30])
def test_words_of_one_character_within_running_text(engine: TextEngine, size: int) -> None:
    for sentence in SENTENCES:
        read = "".join(line.text for line in engine.read(drawn(sentence, size, 20)).lines)
        within = sentence.split()[:-1]  # PP-OCRv4 drops stops at the end of a line, and a figure with them
        assert read.replace(" ", "").startswith("".join(within))


def drawn(text: str, size: int, margin: int) -> np.ndarray:
    """Dark `text` on white, `margin` pixels around its ink, no side below 33 pixels; BGR uint8."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    width, height = (max(side + 2 * margin, 33) for side in (right - left, bottom - top))
    image = Pillow.new("RGB", (width, height), "white")
    place = (width - right + left) // 2 - left, (height - bottom + top) // 2 - top
    ImageDraw.Draw(image).text(place, text, font=font, fill=(30, 30, 30))
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def test_a_strip_a_hundred_times_longer_than_high(engine: TextEngine, sample: np.ndarray) -> None:
    line = cv2.resize(sample[212:258, 60:730], (466, 32), interpolation=cv2.INTER_AREA)
    strip = np.full((40, 4000, 3), 250, np.uint8)
    for left in (100, 1700, 3300):
        strip[4:36, left : left + 466] = line
    for image, back in ((strip, (0, 1)), (np.ascontiguousarray(strip.transpose(1, 0, 2)[::-1]), (1, 0))):
        page = engine.read(image)  # lying, and standing: read upwards
        texts = [line.text.replace(" ", "") for line in page.lines]
        assert "".join(texts).count("阅览室开放时间") == 3
        along = middles(page)[:, back[0]]
        along = np.sort(along if back[0] == 0 else 3999 - along)
        for left in (100, 1700, 3300):
            assert any(left < middle < left + 466 for middle in along)


def test_columns_of_vertical_writing_from_the_right(engine: TextEngine, sample: np.ndarray) -> None:
    page = np.full((700, 500, 3), 250, np.uint8)
    for right, box in ((430, (290, 57, 610, 105)), (200, (690, 472, 832, 508))):
        left, top, end, bottom = box
        text = sample[top:bottom, left:end]
        step = text.shape[1] / {290: 7, 690: 5}[left]
        for at in range(round(text.shape[1] / step)):
            glyph = text[:, round(at * step) : round((at + 1) * step)]
            glyph = cv2.resize(glyph, (60, 60), interpolation=cv2.INTER_CUBIC)
            page[60 + 66 * at : 120 + 66 * at, right - 60 : right] = glyph
    found = engine.read(page)
    assert [line.text for line in found.lines] == ["图书馆开放通知", "城东图书馆"]
    assert np.allclose(middles(found), [(400, 60 + 66 * 3.5), (170, 60 + 66 * 2.5)], atol=8)


def test_two_columns_of_prose_one_after_the_other(engine: TextEngine, sample: np.ndarray) -> None:
    page = np.full((440, 1500, 3), 246, np.uint8)
    chinese, english = (sample[top : top + 46, 60:735] for top in (212, 338))
    for row, (left, right) in enumerate([(chinese, english), (english, chinese)] * 3):
        top = 60 + 56 * row
        page[top : top + 46, 50:725], page[top : top + 46, 775:1450] = left, right
    found = engine.read(page)
    assert ["reading" in line.text for line in found.lines] == [False, True] * 3 + [True, False] * 3
    places = middles(found)
    assert (places[:6, 0] < 750).all() and (places[6:, 0] > 750).all()
    assert (np.diff(places[:6, 1]) > 0).all() and (np.diff(places[6:, 1]) > 0).all()


def test_blanks_between_words_and_widths_as_printed(engine: TextEngine, sample: np.ndarray) -> None:
    texts = [line.text for line in engine.read(sample).lines]
    (english,) = (text for text in texts if "reading" in text)
    assert english.replace(" ", "") == "Thereadingroomopensat8:30a.m.everyday."
    may_lack = 3 if "PP-OCRv4_mobile_rec/inference.pdmodel" in engine.info.models else 0
    assert english.count(" ") >= "The reading room opens at 8:30 a.m. every day.".count(" ") - may_lack
    assert "各位读者：" in texts  # the colon is a full-width one here, a half-width one in the English line
    assert any("，借阅上限" in text for text in texts)


@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (5, 900), (900, 5), (5000, 40)])
def test_blank_images_of_any_shape_hold_nothing(engine: TextEngine, shape: tuple[int, int]) -> None:
    page = engine.read(np.full((*shape, 3), 255, np.uint8))
    assert page.lines == ()
    assert (page.height, page.width) == shape


def test_noise_is_not_text(engine: TextEngine) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (300, 300, 3), np.uint8)
    assert sum(len(line.text) for line in engine.read(noise).lines) <= 3


def test_detect_recognise_and_orient_alone(engine: TextEngine, sample: np.ndarray) -> None:
    assert len(engine.detect(sample)) == len(TRUTH)
    assert len(engine.detect(sample, limit_side=640)) == len(TRUTH)
    assert engine.orient(sample) == 0
    ((text, score),) = engine.recognise([sample[50:112, 280:620]])
    assert (text, score > 0.9) == ("图书馆开放通知", True)
    assert engine.recognise([]) == []


def test_threads_may_share_what_is_read_in_isolation(engine: TextEngine, sample: np.ndarray) -> None:
    alone = [line.text for line in engine.read(sample).lines]
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(engine.read, [sample] * 2))
    assert [[line.text for line in page.lines] for page in pages] == [alone] * 2


def test_no_socket_is_opened(
    folders: dict[str, Path | None], sample: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an engine opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for runtime in RUNTIMES:
        engine = opened(runtime, folders)
        engine.warmup()
        assert len(engine.read(sample).lines) == len(TRUTH)
        engine.close()
        with pytest.raises(AttributeError):
            engine.read(sample)


def test_the_engine_says_what_it_is(engine: TextEngine) -> None:
    info = engine.info
    assert any(runtime.startswith(info.name) for runtime in RUNTIMES)
    assert info.version and info.device == "cpu" and info.threads == 1
    assert info.models
    assert all(len(digest) == 64 for digest in info.models.values())
