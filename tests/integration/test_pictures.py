"""Images as users send them: text or the documented error, never a stack trace."""

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from inkgate.service.samples import sample
from tests import image_files
from tests.image_files import saved

ROOT = Path(__file__).parents[2]


def base() -> Image.Image:
    """A page whose text a reader finds: cut from the drawn notice."""
    return Image.open(io.BytesIO(sample("general"))).convert("RGB").crop((40, 130, 860, 300))


def photo() -> Image.Image:
    """Tilted, blurred, unevenly lit."""
    image = base().rotate(4, expand=True, fillcolor="#6b5d4a", resample=Image.Resampling.BICUBIC)
    shade = Image.linear_gradient("L").resize(image.size)
    return Image.blend(image, Image.merge("RGB", [shade] * 3), 0.25).filter(ImageFilter.GaussianBlur(0.7))


def scan() -> Image.Image:
    image = base().convert("L")
    noise = random.Random(5)
    pixels = image.load()
    for _ in range(4000):
        pixels[noise.randrange(image.width), noise.randrange(image.height)] = noise.randrange(256)
    return image.rotate(0.6, fillcolor=250)


def screenshot() -> Image.Image:
    page = Image.new("RGB", (1280, 720), "#1e1f26")
    page.paste(base(), (200, 240))
    ImageDraw.Draw(page).rectangle((0, 0, 1280, 36), fill="#2d2f3a")
    return page


def alpha() -> Image.Image:
    image = base().convert("RGBA")
    image.putalpha(image.convert("L").point(lambda value: 255 - value))  # text opaque, paper transparent
    return image


def exif_rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    return saved(base().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def sixteen_bit() -> bytes:
    return saved(base().convert("L").convert("I").point(lambda value: value * 257).convert("I;16"), "PNG")


def end_lost(image: Image.Image, end: bytes = b"", **options: object) -> bytes:
    """Without the marker at its end, with `end` instead."""
    return saved(image, "JPEG", **options).removesuffix(image_files.EOI) + end


def broken_scan(image: Image.Image) -> bytes:
    """Cut in its middle, with an end marker put behind the cut."""
    data = saved(image, "JPEG")
    return data[: len(data) // 2] + image_files.EOI


def stray_bytes(image: Image.Image) -> bytes:
    """Between its segments, as some cameras leave them."""
    pieces = image_files.parts(saved(image, "JPEG"))
    return b"".join([*pieces[:2], *(b"\xff\0stray" + piece for piece in pieces[2:])])


BLANK = Image.new("RGB", (300, 200), "white")
TEXT = "阅览室"
PICTURES: dict[str, tuple[bytes, str | int]] = {
    "screenshot.png": (saved(screenshot(), "PNG"), TEXT),
    "scan.png": (saved(scan(), "PNG"), TEXT),
    "photo.jpg": (saved(photo(), "JPEG", quality=70), TEXT),
    "plain.jpg": (saved(base(), "JPEG"), TEXT),
    "progressive.jpg": (saved(base(), "JPEG", progressive=True), TEXT),
    "cmyk.jpg": (saved(base().convert("CMYK"), "JPEG"), TEXT),
    "grey.png": (saved(base().convert("L"), "PNG"), TEXT),
    "rgba.png": (saved(alpha(), "PNG"), TEXT),
    "sixteen.png": (sixteen_bit(), TEXT),
    "palette.bmp": (saved(base().quantize(64), "BMP"), TEXT),
    "palette.png": (saved(base().quantize(64), "PNG"), TEXT),
    "plain.bmp": (saved(base(), "BMP"), TEXT),
    "exif.jpg": (exif_rotated(), TEXT),
    "upside_down.jpg": (saved(base().rotate(180), "JPEG"), TEXT),
    "inverted.png": (saved(base().point(lambda value: 255 - value), "PNG"), TEXT),
    "blank.png": (saved(BLANK, "PNG"), ""),
    "tiny.png": (saved(BLANK.resize((32, 32)), "PNG"), ""),
    "largest.png": (saved(Image.new("L", (5000, 5000), 255), "PNG"), ""),
    "too_small.png": (saved(BLANK.resize((31, 200)), "PNG"), 410002),
    "too_large.png": (saved(Image.new("L", (5001, 40), 255), "PNG"), 410002),
    "truncated.jpg": (sample("general")[:3000], 410001),
    "end_lost.jpg": (end_lost(base()), TEXT),
    "end_lost_progressive.jpg": (end_lost(base(), bytes(700), progressive=True), TEXT),
    "maker_data.jpg": (saved(base(), "JPEG") + b"SEFT maker data \xff\xc0\0\x0b" * 9, TEXT),
    "several_images.jpg": (saved(base(), "JPEG") + saved(BLANK, "JPEG"), TEXT),
    "stray_bytes.jpg": (stray_bytes(base()), TEXT),
    "broken_scan.jpg": (broken_scan(base()), 410001),
    "broken_progressive.jpg": (saved(base(), "JPEG", progressive=True)[:-200], 410001),
    "second_frame.jpg": (end_lost(base(), image_files.frame(64, 64) + image_files.EOI), 410001),
    "hidden_frame.jpg": (
        image_files.hidden_frame((64, 64), image_files.resized(saved(base(), "JPEG"), 16_000, 16_000)),
        410002,
    ),
    "truncated.png": (saved(base(), "PNG")[:200], 410001),
    "gif.gif": (saved(base(), "GIF"), 400012),
    "text.txt": ("不是图片".encode(), 400012),
}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name, (data, _) in PICTURES.items():
        (folder / name).write_bytes(data)
    command = [sys.executable, "-m", "inkgate.service.cli", "ocr", "--json", *(str(folder / name) for name in PICTURES)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode == 1, "some of the images are faulty, so the exit status is 1"
    return {Path(line["file"]).name: line for line in map(json.loads, result.stdout.splitlines())}


@pytest.mark.parametrize("name", PICTURES)
def test_text_or_the_documented_error(read, name):
    expected, element = PICTURES[name][1], read[name]
    if isinstance(expected, int):
        assert element["err_code"] == expected
    else:
        assert "err_code" not in element
        assert expected in "".join(line["text"] for line in element["detail"])
        if not expected:
            assert element["text_line"] == 0
