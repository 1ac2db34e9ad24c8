"""What is checked is what is decoded: files whose headers contradict each other, and odd ones that are sound."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.image_header import image_size
from inkgate.engines.imaging import decode
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.images import ImageFault, check_image, image_dimensions
from tests import image_files
from tests.image_files import EOI, PNG, bmp, chunk, frame, idat, ihdr, jpeg, parts, png, segment

LIMIT = 25_100_000
KINDS = {
    "baseline": jpeg(150, 100),
    "grey": jpeg(150, 100, "L"),
    "cmyk": jpeg(150, 100, "CMYK"),
    "progressive": jpeg(150, 100, progressive=True),
    "restarts": jpeg(150, 100, restart_marker_blocks=3),
    "progressive-restarts": jpeg(150, 100, progressive=True, restart_marker_blocks=2),
}


def same(data: bytes, whole: bytes) -> bool:
    return np.array_equal(decode(data, LIMIT), decode(whole, LIMIT))


def plainly(data: bytes) -> np.ndarray:
    """What the decoder makes of a file that nothing has touched."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


# --- JPEG: the frame header


def test_hidden_frame_is_the_one_that_is_checked() -> None:
    """966 bytes of request took a worker to 6 GB: 64x64 was checked, 16000x16000 decoded."""
    bomb = image_files.hidden_frame((64, 64), image_files.resized(KINDS["grey"], 16_000, 16_000))
    assert image_size(bomb) == (16_000, 16_000)
    with pytest.raises(ImageFault, match="dimensions"):
        check_image(bomb, CAPABILITIES["general"])
    with pytest.raises(ImageTooLarge):
        decode(bomb, LIMIT)


def test_hidden_frame_within_the_limits() -> None:
    data = image_files.hidden_frame((64, 64), KINDS["baseline"])
    assert image_dimensions(data) == plainly(data).shape[1::-1] == (150, 100)
    with pytest.raises(DecodeError, match="second frame"):
        decode(data, LIMIT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCF])
def test_second_frame_behind_the_scan(kind: str, marker: int) -> None:
    with pytest.raises(DecodeError, match="second frame"):
        decode(KINDS[kind].removesuffix(EOI) + frame(64, 64, marker) + EOI, LIMIT)


@pytest.mark.parametrize("kind", KINDS)
def test_second_frame_before_the_scan(kind: str) -> None:
    pieces = parts(KINDS[kind])
    at = next(i for i, piece in enumerate(pieces) if piece[1] in (0xC0, 0xC2))
    for place in (at, at + 1):
        with pytest.raises(DecodeError, match="second frame"):
            decode(b"".join([*pieces[:place], frame(640, 480), *pieces[place:]]), LIMIT)


@pytest.mark.parametrize("kind", KINDS)
def test_height_named_behind_the_scan(kind: str) -> None:
    with pytest.raises(DecodeError, match="height a second time"):
        decode(KINDS[kind].removesuffix(EOI) + segment(0xDC, b"\x03\xe8") + EOI, LIMIT)


@pytest.mark.parametrize("kind", KINDS)
def test_another_image_inside(kind: str) -> None:
    """The decoder stops at its start: the first image is read if it is whole."""
    data = KINDS[kind].removesuffix(EOI)
    assert np.array_equal(decode(data + jpeg(400, 300), LIMIT), plainly(KINDS[kind]))
    with pytest.raises(DecodeError, match="breaks off"):
        decode(data[:-100] + jpeg(400, 300), LIMIT)


def test_thumbnail_is_no_frame() -> None:
    """Its markers lie inside a segment."""
    pieces = parts(KINDS["baseline"])
    for place in (1, 3):
        made = b"".join([*pieces[:place], segment(0xE1, b"Exif\0\0" + jpeg(64, 48)), *pieces[place:]])
        assert image_dimensions(made) == (150, 100)
        assert same(made, KINDS["baseline"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "stray", [b"\0", b"stray bytes", b"\xff\x00", b"\xff\xff", b"\xff\x00\xff", b"\xff\xd0", b"\xff\x01"]
)
def test_stray_bytes_between_segments_are_passed_over(kind: str, stray: bytes) -> None:
    """Some cameras leave them. The first segment has to follow at once, and the data of a scan its header."""
    pieces = parts(KINDS[kind])
    made = b"".join([*pieces[:2], *(stray + piece for piece in pieces[2:])])
    assert image_dimensions(made) == (150, 100)
    assert np.array_equal(decode(made, LIMIT), plainly(KINDS[kind]))


@pytest.mark.parametrize("length", [0, 1])
def test_segment_shorter_than_its_length_field(length: int) -> None:
    pieces = parts(KINDS["baseline"])
    made = b"".join([*pieces[:2], b"\xff\xfe" + struct.pack(">H", length), *pieces[2:]])
    assert image_dimensions(made) == (150, 100)
    assert same(made, KINDS["baseline"])


@pytest.mark.parametrize("marker", [0x02, 0xBF, 0xC8, 0xD8, 0xD9, 0xDA, 0xDE, 0xF0, 0xFD])
def test_marker_that_the_decoder_refuses_before_the_frame(marker: int) -> None:
    pieces = parts(KINDS["baseline"])
    made = b"".join([pieces[0], segment(marker, bytes(6)), *pieces[1:]])
    assert plainly(made) is None
    with pytest.raises(ImageFault, match="decode"):
        image_dimensions(made)
    with pytest.raises(DecodeError):
        decode(made, LIMIT)


# --- JPEG: its end


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"\xff",
        b"\xff\xff\xff",
        bytes(3000),
        b"\xff" * 3000,
        EOI + b"SEFT\0\x01 maker data \xff\xc0" * 40,
        EOI + jpeg(400, 300),
        EOI + bytes(100) + jpeg(64, 64),
        EOI + EOI,
    ],
    ids=["none", "half", "fill", "zeros", "ones", "maker data", "second image", "second image later", "twice"],
)
def test_whole_scan_is_read_whatever_follows(kind: str, end: bytes) -> None:
    whole = KINDS[kind]
    made = whole.removesuffix(EOI) + end
    assert image_dimensions(made) == (150, 100)
    assert np.array_equal(decode(made, LIMIT), plainly(whole))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filled", [b"", b"\xff", bytes(4000), b"\xff" * 4000], ids=["cut", "half", "zeros", "ones"])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95])
def test_broken_scan(kind: str, filled: bytes, share: float) -> None:
    whole = KINDS[kind]
    scans = whole.find(b"\xff\xda") + 14
    cut = scans + int((len(whole) - scans - 2) * share)
    with pytest.raises(DecodeError, match="breaks off"):
        decode(whole[:cut] + filled, LIMIT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_whole_scan_with_maker_data_instead_of_its_end(kind: str, seed: int) -> None:
    """Panoramas of some phones: what the maker puts there may look like any marker."""
    chance = np.random.default_rng(seed)
    maker = chance.integers(0, 256, 3000, np.uint8)
    maker[chance.integers(0, 3000, 200)] = 255
    whole = KINDS[kind]
    made = whole.removesuffix(EOI) + b"\0\0\0\x01SEFH" + maker.tobytes() + b"SEFT"
    assert np.array_equal(decode(made, LIMIT), plainly(whole))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("marker", [0xE1, 0xFE, 0xC4, 0xDB, 0xDA, 0x45])
@pytest.mark.parametrize("end", [b"", EOI])
def test_broken_scan_with_a_segment_behind_it(kind: str, marker: int, end: bytes) -> None:
    whole = KINDS[kind]
    cut = whole.find(b"\xff\xda") + (len(whole) - whole.find(b"\xff\xda")) // (8 if "progressive" in kind else 2)
    with pytest.raises(DecodeError):
        decode(whole[:cut] + segment(marker, b"maker data") + end, LIMIT)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_before_every_scan(kind: str) -> None:
    """What is there decodes; what is missing are whole scans."""
    pieces = parts(KINDS[kind])
    for place in range(2, len(pieces) - 1):
        with pytest.raises(DecodeError, match=r"breaks off|no image|no frame header"):
            decode(b"".join(pieces[:place]), LIMIT)


@pytest.mark.parametrize("kind", ["baseline", "grey", "cmyk", "restarts"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_broken_scan_with_an_end_marker_put_behind_it(kind: str, share: float) -> None:
    whole = KINDS[kind]
    scan = whole.find(b"\xff\xda") + 14
    with pytest.raises(DecodeError, match="breaks off"):
        decode(whole[: scan + int((len(whole) - scan) * share)] + EOI, LIMIT)


def test_broken_scan_with_another_scan_behind_it() -> None:
    pieces = parts(KINDS["baseline"])
    scan = next(piece for piece in pieces if piece[1] == 0xDA)
    cut = b"".join(pieces[: pieces.index(scan)]) + scan[: len(scan) // 2]
    with pytest.raises(DecodeError, match="breaks off"):
        decode(cut + scan + EOI, LIMIT)


def test_progressive_file_broken_off_early_with_an_end_marker_put_behind_it() -> None:
    pieces = parts(KINDS["progressive"])
    first = next(i for i, piece in enumerate(pieces) if piece[1] == 0xDA)
    with pytest.raises(DecodeError, match="breaks off"):
        decode(b"".join(pieces[:first]) + pieces[first][:-20] + EOI, LIMIT)


def test_progressive_file_of_fewer_scans_is_a_coarser_image() -> None:
    """Its end marker says that no more is meant to come."""
    pieces = parts(KINDS["progressive"])
    second = [i for i, piece in enumerate(pieces) if piece[1] == 0xDA][1]
    made = b"".join(pieces[:second]) + EOI
    assert np.array_equal(decode(made, LIMIT), plainly(made))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_grey_image_is_no_broken_one(orientation: int) -> None:
    exif = image_files.Image.Exif()
    exif[0x0112] = orientation
    grey = image_files.saved(image_files.Image.new("RGB", (150, 100), (128, 128, 128)), "JPEG", exif=exif)
    image = decode(grey, LIMIT)
    assert image.shape == ((100, 150, 3) if orientation < 5 else (150, 100, 3))
    assert np.array_equal(image, plainly(grey))
    assert same(grey.removesuffix(EOI), grey)


# --- PNG


def test_animation_gives_its_first_image() -> None:
    made = image_files.animated_png(64, 48)
    assert image_dimensions(made) == (64, 48)
    assert np.array_equal(decode(made, LIMIT), np.full((48, 64, 3), 100, np.uint8))


@pytest.mark.parametrize("at", ["behind the first", "between the data", "behind the data"])
def test_second_png_header(at: str) -> None:
    data, second, end = idat(64, 48), ihdr(640, 480), chunk(b"IEND", b"")
    made = {
        "behind the first": PNG + ihdr(64, 48) + second + data + end,
        "between the data": PNG + ihdr(64, 48) + data + second + chunk(b"IDAT", b"") + end,
        "behind the data": PNG + ihdr(64, 48) + data + second + end,
    }[at]
    with pytest.raises(DecodeError, match="second header"):
        decode(made, LIMIT)


@pytest.mark.parametrize(
    "start",
    [
        chunk(b"tEXt", struct.pack(">II", 64, 48) + b"\0\0\0\0\0"),
        chunk(b"IHDR", ihdr(64, 48)[8:-4] + b"\0"),
        chunk(b"CgBI", bytes(4)),
    ],
    ids=["not first", "too long", "of another kind"],
)
def test_png_that_does_not_begin_with_its_header(start: bytes) -> None:
    made = PNG + start + ihdr(64, 48) + idat(64, 48) + chunk(b"IEND", b"")
    with pytest.raises(ImageFault, match="decode"):
        image_dimensions(made)
    with pytest.raises(DecodeError):
        decode(made, LIMIT)


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_png_checksum(name: bytes) -> None:
    made = bytearray(png(64, 48))
    at = made.find(name) - 4
    made[at + 8 + int.from_bytes(made[at : at + 4])] ^= 1
    assert plainly(bytes(made)) is None
    with pytest.raises(DecodeError):
        decode(bytes(made), LIMIT)


# --- BMP


@pytest.mark.parametrize("header", [12, 40, 52, 56, 64, 108, 124])
@pytest.mark.parametrize("bits", [1, 4, 8, 24, 32])
def test_bmp_headers(header: int, bits: int) -> None:
    made = bmp(64, 48, header=header, bits=bits)
    assert image_dimensions(made) == (64, 48)
    assert np.array_equal(decode(made, LIMIT), plainly(made))


@pytest.mark.parametrize("header", [0, 11, 13, 16, 20, 35, 2**31])
def test_bmp_header_that_the_decoder_does_not_know(header: int) -> None:
    made = bytearray(bmp(64, 48))
    made[14:18] = struct.pack("<I", header)
    assert plainly(bytes(made)) is None
    with pytest.raises(ImageFault, match="decode"):
        image_dimensions(bytes(made))
    with pytest.raises(DecodeError):
        decode(bytes(made), LIMIT)


@pytest.mark.parametrize(("bits", "compression"), [(16, 0), (16, 3), (32, 3)])
def test_bmp_bitfields(bits: int, compression: int) -> None:
    made = bmp(64, 48, bits=bits, compression=compression)
    assert image_dimensions(made) == (64, 48)
    assert np.array_equal(decode(made, LIMIT), plainly(made))


@pytest.mark.parametrize("height", [48, -48])
@pytest.mark.parametrize(
    ("bits", "compression", "row"),
    [(8, 1, b"\x40\x09\0\0"), (4, 2, b"\x40\x99\0\0"), (8, 1, b"\0\x40" + b"\x09" * 64 + b"\0\0")],
)
def test_bmp_run_lengths(bits: int, compression: int, row: bytes, height: int) -> None:
    made = bmp(64, height, bits=bits, compression=compression, pixels=row * 48 + b"\0\1")
    assert image_dimensions(made) == (64, 48)
    assert np.array_equal(decode(made, LIMIT), np.full((48, 64, 3), 9, np.uint8))


@pytest.mark.parametrize(
    ("width", "height"), [(64, -(2**31)), (-64, 48), (0, 48), (64, 0), (2**31 - 1, -(2**31)), (2**31 - 1, 2**31 - 1)]
)
def test_bmp_sizes_that_are_none(width: int, height: int) -> None:
    made = bmp(width, height, pixels=b"d" * 1000)
    with pytest.raises(ImageFault, match="dimensions"):
        check_image(made, CAPABILITIES["general"])
    with pytest.raises((DecodeError, ImageTooLarge)):
        decode(made, LIMIT)


@pytest.mark.parametrize("offset", [10**6, 2**31 - 1, 2**32 - 1])
def test_bmp_pixels_outside_the_file(offset: int) -> None:
    with pytest.raises(DecodeError):
        decode(bmp(64, 48, offset=offset), LIMIT)


# --- behind the decoder


def test_image_of_another_size_than_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is known to do it; should a release of the decoder, it is refused."""
    monkeypatch.setattr("inkgate.engines.imaging._decode_with_opencv", lambda data: np.zeros((200, 100, 3), np.uint8))
    with pytest.raises(DecodeError, match="shape"):
        decode(png(64, 48), LIMIT)


def test_decoder_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("inkgate.engines.imaging._decode_with_opencv", exhausted)
    with pytest.raises(DecodeError, match="memory"):
        decode(png(64, 48), LIMIT)
