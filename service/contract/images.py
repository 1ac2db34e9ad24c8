"""Checks of one image before it is decoded: base64, magic bytes, size, dimensions in the header.

The order is that of the code tables (manual 6.3.x-10). The worker finds out whether the pixels decode. Dimensions come
from the file header, so that a decompression bomb is never unpacked here. The header parser is that of the engines, so
that gateway and decoder see the same dimensions (ADR 0052).
"""

from __future__ import annotations

from inkgate.engines.errors import DecodeError
from inkgate.engines.image_header import BMP, JPEG, PNG, image_size
from inkgate.service.contract.base64_text import decode_pieces
from inkgate.service.contract.bounded_json import LongString
from inkgate.service.contract.capabilities import Capability


class ImageFault(Exception):
    """One image fails a check; `fault` is a key of the capability's code table."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def decode_base64(text: object, max_bytes: int | None = None) -> bytes:
    """Decode base64 text of either alphabet, with or without padding; `text` is a str or a LongString.

    Raises ImageFault("base64") for anything else: not a string, empty, other characters, a data: prefix. Input beyond
    `max_bytes` is checked but not returned, except for part of one piece.
    """
    if not isinstance(text, str | LongString) or not text:
        raise ImageFault("base64")
    try:
        pieces = text.ascii_pieces() if isinstance(text, LongString) else (text.encode("ascii"),)
        return bytes(decode_pieces(pieces, max_bytes=max_bytes))
    except ValueError:
        raise ImageFault("base64") from None


def check_image(data: bytes, capability: Capability) -> None:
    """Raise ImageFault when the file's format, size or dimensions break the capability's limits."""
    if not data.startswith((PNG, JPEG, BMP)):
        raise ImageFault("format")
    if len(data) > capability.max_image_bytes:
        raise ImageFault("size")
    width, height = image_dimensions(data)
    low, high = capability.min_side, capability.max_side
    if not (low <= width <= high and low <= height <= high):
        raise ImageFault("dimensions")


def media_type(data: bytes) -> str:
    """The media type of a PNG, JPEG or BMP file by its first bytes; "application/octet-stream" for others."""
    for magic, name in ((PNG, "image/png"), (JPEG, "image/jpeg"), (BMP, "image/bmp")):
        if data.startswith(magic):
            return name
    return "application/octet-stream"


def image_dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from a PNG, JPEG or BMP header. Raises ImageFault("decode") for an invalid header."""
    try:
        return image_size(data)
    except DecodeError:
        raise ImageFault("decode") from None
