"""Image files changed along their own structure: the bytes of a fuzzer choose what is put where, not the raw file.

The first byte chooses a file, every four after it one change: what, where, and two bytes of detail. So a second frame
header, a run of stray bytes or a chunk of no length is one step away, with lengths and checksums that hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

from tests import image_files
from tests.image_files import EOI, bmp, chunk, frame, ihdr, jpeg, png, segment

_MOST_CHANGES = 8
Change = Callable[[bytes, int, int, int], bytes]


@cache
def bases() -> tuple[bytes, ...]:
    sizes = {"progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 2}, "plain": {}}
    jpegs = [jpeg(40, 36, mode, **options) for mode in ("RGB", "L", "CMYK") for options in sizes.values()]
    pngs = [png(40, 36), image_files.animated_png(40, 36)]
    pngs += [
        image_files.saved(image_files.sample_image(40, 36).convert(mode), "PNG") for mode in ("RGBA", "P", "L", "1")
    ]
    bmps = [bmp(40, 36, header=header, bits=bits) for header in (12, 40, 64, 124) for bits in (1, 8, 24, 32)]
    bmps += [bmp(40, 36, bits=16, compression=kind) for kind in (0, 3)] + [bmp(40, -36)]
    for bits, kind, row in ((8, 1, b"\x28\x09\0\0"), (4, 2, b"\x28\x99\0\0")):
        bmps.append(bmp(40, 36, bits=bits, compression=kind, pixels=row * 36 + b"\0\1"))
    return (*jpegs, *pngs, *bmps)


def mutated(data: bytes) -> bytes:
    """The file that the bytes of a fuzzer describe."""
    made = bases()[(data[0] if data else 0) % len(bases())]
    steps = data[1 : 1 + 4 * _MOST_CHANGES]
    for at in range(0, len(steps) - 3, 4):
        what, where, first, second = steps[at : at + 4]
        kind = _JPEG if made.startswith(b"\xff\xd8") else _PNG if made.startswith(image_files.PNG) else _BMP
        changes = (*kind, *_ANY)
        made = changes[what % len(changes)](made, where, first, second)
    return made


def _put(made: bytes, where: int, content: bytes) -> bytes:
    """`content` before one of a JPEG's markers."""
    pieces = image_files.parts(made)
    place = 1 + where % len(pieces)
    return b"".join([*pieces[:place], content, *pieces[place:]])


def _drop(made: bytes, where: int, first: int, second: int) -> bytes:
    pieces = image_files.parts(made)
    del pieces[where % len(pieces)]
    return b"".join(pieces)


def _double(made: bytes, where: int, first: int, second: int) -> bytes:
    pieces = image_files.parts(made)
    return _put(made, first, pieces[where % len(pieces)])


_STRAYS = (b"\xff", b"\xff\x00", b"\0", b"stray", b"\xff\xff\xff", b"\xff\xd3", b"\xff\x01", b"\xff\x00\x00\x40")


def _stray(made: bytes, where: int, first: int, second: int) -> bytes:
    return _put(made, where, _STRAYS[first % len(_STRAYS)])


def _frame(made: bytes, where: int, first: int, second: int) -> bytes:
    return _put(made, where, frame(8 + second, 8 + first, 0xC0 + first % 16))


def _hidden(made: bytes, where: int, first: int, second: int) -> bytes:
    """FF 00 and a length that covers the rest up to a frame header put behind."""
    body = made[2:].removesuffix(EOI)
    start = b"\xff\xd8\xff" + bytes((where % 3,)) + struct.pack(">H", (len(body) + 2) & 0xFFFF)
    return start + body + frame(first, second) + EOI


_JPEG: tuple[Change, ...] = (
    _drop,
    _double,
    _stray,
    _frame,
    _hidden,
    lambda made, where, first, second: _put(made, where, segment(0xDC, bytes((first, second)))),
    lambda made, where, first, second: _put(made, where, segment(first, bytes(second))),
    lambda made, where, first, second: _put(made, where, bytes((0xFF, first, 0, second))),
    lambda made, where, first, second: _put(made, where, jpeg(8 + first, 8 + second, "L")),
    lambda made, where, first, second: _put(made, where, segment(0xDD, bytes((0, second)))),
    lambda made, where, first, second: made.removesuffix(EOI),
    lambda made, where, first, second: made + EOI,
    lambda made, where, first, second: image_files.resized(made, 1 + first, 1 + second),
)


def _chunks(made: bytes) -> list[bytes]:
    """Signature and chunks of a PNG; the last item may be a remainder that is no chunk."""
    pieces, at = [made[:8]], 8
    while at + 12 <= len(made):
        end = at + 12 + int.from_bytes(made[at : at + 4])
        pieces.append(made[at:end])
        at = end
    return [*pieces, made[at:]]


def _chunk(made: bytes, where: int, content: bytes) -> bytes:
    pieces = _chunks(made)
    place = 1 + where % len(pieces)
    return b"".join([*pieces[:place], content, *pieces[place:]])


def _without_chunk(made: bytes, where: int, first: int, second: int) -> bytes:
    pieces = _chunks(made)
    del pieces[where % len(pieces)]
    return b"".join(pieces)


_NAMES = (b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE", b"IDAT", b"IEND", b"IHDR", b"eXIf", b"tEXt", b"ABCD", b"CgBI")

_PNG: tuple[Change, ...] = (
    lambda made, where, first, second: _chunk(made, where, ihdr(first, second)),
    lambda made, where, first, second: _chunk(made, where, chunk(_NAMES[first % len(_NAMES)], bytes(second))),
    lambda made, where, first, second: _chunk(made, where, chunk(b"acTL", struct.pack(">II", first, second))),
    lambda made, where, first, second: _chunk(made, where, image_files.idat(1 + first, 1 + second)),
    lambda made, where, first, second: made[:8] + ihdr(first, second) + made[33:],
    lambda made, where, first, second: made[:24] + bytes((1 << first % 5, second % 8)) + made[26:],
    _without_chunk,
)

_BMP: tuple[Change, ...] = (
    lambda made, where, first, second: made[:14] + struct.pack("<I", first) + made[18:],
    lambda made, where, first, second: made[:17] + bytes((first,)) + made[18:],
    lambda made, where, first, second: made[:18] + struct.pack("<ii", first, second - 128) + made[26:],
    lambda made, where, first, second: made[:18] + struct.pack("<HH", first, second) + made[22:],
    lambda made, where, first, second: made[:22] + struct.pack("<i", -(2**31) + first) + made[26:],
    lambda made, where, first, second: made[:28] + struct.pack("<HI", first % 33, second % 8) + made[34:],
    lambda made, where, first, second: made[:10] + struct.pack("<I", first + (second << 24)) + made[14:],
    lambda made, where, first, second: made[:46] + struct.pack("<I", first * 2) + made[50:],
)


def _overwritten(made: bytes, where: int, first: int, second: int) -> bytes:
    at = (where << 8 | first) % max(1, len(made))
    return made[:at] + bytes((second,)) + made[at + 1 :]


_ANY: tuple[Change, ...] = (
    _overwritten,
    _overwritten,
    lambda made, where, first, second: made[: len(made) * (where << 8 | first) >> 16],
    lambda made, where, first, second: made + bytes((first,)) * (second * 16),
    lambda made, where, first, second: made + bases()[first % len(bases())],
)
