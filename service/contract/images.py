"""Checks of one image before anything decodes it: base64, magic bytes, size, dimensions in the header.

The order is that of the code tables (manual 6.3.x-10): base64, format, size, dimensions. Whether the pixels decode
is found out by the worker. Headers alone decide on dimensions, so a decompression bomb never unpacks here.
"""

from __future__ import annotations

import struct

from service.contract.base64_text import decode_pieces
from service.contract.bounded_json import LongString
from service.contract.capabilities import Capability

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start-of-frame markers carry the dimensions
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length
_MAX_MARKERS = 4096  # before the frame; a file of nothing but markers would hold the interpreter for seconds


class ImageFault(Exception):
    """One image fails a check; `fault` is a key of the capability's code table."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def decode_base64(text: object, keep: int | None = None) -> bytes:
    """The bytes behind base64 text in either alphabet, mixed too, padded or not; `text` is a str or a LongString.

    Raises ImageFault("base64") for anything else: not a string, empty, other characters, a data: prefix. Of more than
    `keep` bytes all are checked and hardly more than `keep` returned.
    """
    if not isinstance(text, str | LongString) or not text:
        raise ImageFault("base64")
    try:
        pieces = text.ascii_pieces() if isinstance(text, LongString) else (text.encode("ascii"),)
        return bytes(decode_pieces(pieces, keep=keep))
    except ValueError:
        raise ImageFault("base64") from None


def check_image(data: bytes, capability: Capability) -> None:
    """Raise ImageFault when the file's format, size or dimensions break the capability's limits."""
    if not data.startswith((_PNG, _JPEG, _BMP)):
        raise ImageFault("format")
    if len(data) > capability.max_image_bytes:
        raise ImageFault("size")
    width, height = dimensions(data)
    low, high = capability.min_side, capability.max_side
    if not (low <= width <= high and low <= height <= high):
        raise ImageFault("dimensions")


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from a PNG, JPEG or BMP header. Raises ImageFault("decode") when there is none."""
    try:
        if data.startswith(_PNG):
            return _png(data)
        return _jpeg(data) if data.startswith(_JPEG) else _bmp(data)
    except (struct.error, IndexError):
        raise ImageFault("decode") from None


def _png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ImageFault("decode")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:  # OS/2 core header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height marks rows stored top-down


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MAX_MARKERS):
        if data[at] != 0xFF:
            raise ImageFault("decode")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        elif marker in (0xD9, 0xDA):  # image data or end before any frame header
            raise ImageFault("decode")
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + max(length, 2)
    raise ImageFault("decode")
