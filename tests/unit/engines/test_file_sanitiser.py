"""Small files that cost a decoder seconds or gigabytes are refused, or reduced to their image data."""

from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from inkgate.engines.errors import DecodeError
from inkgate.engines.file_sanitiser import sanitise
from inkgate.engines.imaging import decode, header_size
from inkgate.engines.jpeg_structure import parse_jpeg
from tests import image_files
from tests.image_files import chunk

MAX_PIXELS = 25_100_000


def saved(size: tuple[int, int], kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind, **options)
    return out.getvalue()


PNG = saved((64, 48), "PNG")
JPEG = saved((64, 48), "JPEG")
HEAD, REST = PNG[:33], PNG[33:]


def test_image_chunks_stay_and_others_go():
    made = HEAD + chunk(b"tEXt", b"k\0v") + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + REST
    assert sanitise(made + b"tail") == PNG
    assert np.array_equal(decode(made, MAX_PIXELS), decode(PNG, MAX_PIXELS))


def test_text_is_not_unpacked():
    """A hundred such chunks took five seconds of CPU; a file may hold a thousand."""
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000)))
    began = time.process_time()
    assert decode(HEAD + bomb * 100 + REST, MAX_PIXELS).shape == (48, 64, 3)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1, len(REST)])
def test_chunk_longer_than_the_file(length: int):
    """libpng allocates such a length before it reads the chunk."""
    with pytest.raises(DecodeError, match="longer than the file"):
        decode(HEAD + struct.pack(">I", length) + REST[4:], MAX_PIXELS)


@pytest.mark.parametrize("size", [8, 20, 40, len(PNG) - 12])
def test_cut_png(size: int):
    with pytest.raises(DecodeError):
        decode(PNG[:size], MAX_PIXELS)


def test_png_must_begin_with_its_header():
    """Else the size that was checked would not be the size that is decoded."""
    with pytest.raises(DecodeError, match="header"):
        decode(PNG[:8] + chunk(b"tEXt", struct.pack(">II", 64, 48) + b"k\0xxx") + PNG[8:], MAX_PIXELS)


def test_png_of_nothing_but_chunks():
    began = time.process_time()
    with pytest.raises(DecodeError, match="chunks"):
        sanitise(HEAD + chunk(b"IDAT", b"") * 800_000)
    assert time.process_time() - began < 1


def test_progressive_jpeg_with_too_many_scans():
    jpeg = saved((640, 480), "JPEG", progressive=True)
    assert decode(jpeg, MAX_PIXELS).shape == (480, 640, 3)
    scan = jpeg[jpeg.rfind(b"\xff\xda") : -2]
    with pytest.raises(DecodeError, match="scans"):
        decode(jpeg[:-2] + scan * 120 + jpeg[-2:], MAX_PIXELS)


@pytest.mark.parametrize(
    "filler", [b"\xff\x00", b"\xff\x00" + b"a" * 9, b"\xff\xd0" + b"a" * 9, b"\xff\xfe\x00\x02", b"a"]
)
def test_scan_that_never_ends(filler: bytes):
    """Its markers are looked for through all of it."""
    start = JPEG[: JPEG.find(b"\xff\xda") + 14]
    began = time.process_time()
    with pytest.raises(DecodeError):
        parse_jpeg(start + filler * (10 * 1024 * 1024 // len(filler)) + image_files.frame(64, 64))
    assert time.process_time() - began < 0.25


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\xd0", b"\xff\xe0\x00\x02", b"\xff\xe0\x00\x00"])
def test_jpeg_of_nothing_but_markers(filler: bytes):
    """Walking ten megabytes of them held the interpreter for up to 2.5 seconds."""
    jpeg = b"\xff\xd8\xff" + filler * (10 * 1024 * 1024 // len(filler))
    began = time.process_time()
    with pytest.raises(DecodeError):
        header_size(jpeg)
    assert time.process_time() - began < 0.25
