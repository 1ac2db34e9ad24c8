"""Valid image files of a given size in bytes, for tests whose engine does not recognise text."""

from __future__ import annotations

import struct
import zlib

_SIDE = 40  # pixels


def padded_png(size: int, filler: bytes = b"x") -> bytes:
    """A white PNG of exactly `size` bytes (at least 200), padded with a comment that repeats `filler`."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress((b"\x00" + b"\xff" * _SIDE) * _SIDE))
    frame = b"\x89PNG\r\n\x1a\n" + header, pixels + _chunk(b"IEND", b"")
    room = size - sum(map(len, frame)) - len(_chunk(b"tEXt", b"id\x00"))
    comment = b"id\x00" + (filler * (room // len(filler) + 1))[:room]
    return frame[0] + _chunk(b"tEXt", comment) + frame[1]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
