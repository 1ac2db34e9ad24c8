"""Every form of image that people send becomes BGR uint8, or a documented error."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.imaging import decode, header_size
from tests.image_files import saved

LIMIT = 25_100_000
BLUE_LEFT = np.zeros((40, 60, 3), np.uint8)
BLUE_LEFT[:, :30] = (0, 0, 255)  # RGB for Pillow
BLUE_LEFT[:, 30:] = (255, 255, 0)


def is_blue_left(image: np.ndarray) -> bool:
    left, right = image[5:35, 5:25].mean((0, 1)), image[5:35, 35:55].mean((0, 1))
    return bool(np.allclose(left, (255, 0, 0), atol=25) and np.allclose(right, (0, 255, 255), atol=25))


@pytest.mark.parametrize(
    ("mode", "form", "options"),
    [
        ("RGB", "PNG", {}),
        ("RGB", "BMP", {}),
        ("RGB", "JPEG", {"quality": 95}),
        ("RGB", "JPEG", {"quality": 95, "progressive": True}),
        ("CMYK", "JPEG", {"quality": 95}),
        ("P", "PNG", {}),
        ("P", "BMP", {}),
        ("RGBA", "PNG", {}),
    ],
)
def test_colour_forms(mode: str, form: str, options: dict) -> None:
    image = decode(saved(Pillow.fromarray(BLUE_LEFT).convert(mode), form, **options), LIMIT)
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    assert is_blue_left(image)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
def test_grey_becomes_three_channels(form: str) -> None:
    image = decode(saved(Pillow.fromarray(np.full((33, 44), 90, np.uint8)), form), LIMIT)
    assert image.shape == (33, 44, 3)
    assert np.allclose(image, 90, atol=1)


def test_sixteen_bits_keep_the_upper_byte() -> None:
    deep = np.full((40, 50), 0x80FF, np.uint16)
    assert np.all(decode(saved(Pillow.fromarray(deep), "PNG"), LIMIT) == 0x80)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparent_pixels_lie_on_white(dtype: type) -> None:
    top = np.iinfo(dtype).max
    drawn = np.zeros((32, 32, 4), dtype)
    drawn[:16, :, 3] = top
    ok, data = cv2.imencode(".png", drawn)
    assert ok
    image = decode(data.tobytes(), LIMIT)
    assert np.all(image[:16] == 0)
    assert np.all(image[16:] == 255)


def test_transparent_palette_lies_on_white() -> None:
    drawn = Pillow.new("P", (32, 32), 0)
    drawn.putpalette([0, 0, 0, 10, 20, 30])
    assert np.all(decode(saved(drawn, "PNG", transparency=0), LIMIT) == 255)


@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation_is_applied(tag: int) -> None:
    # What each tag asks for, undone before saving, must come back as the image was.
    undo = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    drawn = Pillow.fromarray(BLUE_LEFT)
    if tag in undo:
        drawn = drawn.transpose(undo[tag])
    exif = Pillow.Exif()
    exif[0x0112] = tag
    image = decode(saved(drawn, "JPEG", quality=95, exif=exif), LIMIT)
    assert image.shape == (40, 60, 3)
    assert is_blue_left(image)


def test_a_bomb_is_refused_by_its_header() -> None:
    png = bytearray(saved(Pillow.new("L", (10, 10)), "PNG"))
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(ImageTooLarge):
        decode(bytes(png), LIMIT)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
def test_header_size(form: str) -> None:
    assert header_size(saved(Pillow.new("RGB", (123, 45)), form)) == (123, 45)


def test_bottom_up_and_top_down_bitmaps() -> None:
    data = bytearray(saved(Pillow.fromarray(BLUE_LEFT), "BMP"))
    data[22:26] = struct.pack("<i", -40)
    assert header_size(bytes(data)) == (60, 40)
    assert decode(bytes(data), LIMIT).shape == (40, 60, 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize("keep", [0, 1, 2, 3, 9, 17, 25, 30, 60, 200])
def test_a_cut_file_is_an_error_or_an_image_of_the_named_size(form: str, keep: int) -> None:
    whole = saved(Pillow.fromarray(np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)), form)
    try:
        image = decode(whole[:keep], LIMIT)
    except DecodeError:
        return
    assert image.shape == (40, 60, 3)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), b"<html>", bytes(1000), b"\xff\xd8" + b"\xff" * 1000])
def test_what_is_no_image_is_an_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, LIMIT)
