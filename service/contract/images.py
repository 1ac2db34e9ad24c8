"""Checks of one image before anything decodes it: base64, magic bytes, size, dimensions in the header.

The order is that of the code tables (manual 6.3.x-10): base64, format, size, dimensions. Whether the pixels decode
is found out by the worker. Headers alone decide on dimensions, so a decompression bomb never unpacks here; they are
read by the engines' own reader, for what is checked must be what is decoded (ADR 0052).
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
    if not data.startswith((PNG, JPEG, BMP)):
        raise ImageFault("format")
    if len(data) > capability.max_image_bytes:
        raise ImageFault("size")
    width, height = dimensions(data)
    low, high = capability.min_side, capability.max_side
    if not (low <= width <= high and low <= height <= high):
        raise ImageFault("dimensions")


def media_type(data: bytes) -> str:
    """The media type of a PNG, JPEG or BMP file by its first bytes; that of unknown bytes for anything else."""
    for magic, name in ((PNG, "image/png"), (JPEG, "image/jpeg"), (BMP, "image/bmp")):
        if data.startswith(magic):
            return name
    return "application/octet-stream"


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from a PNG, JPEG or BMP header. Raises ImageFault("decode") when there is none."""
    try:
        return image_size(data)
    except DecodeError:
        raise ImageFault("decode") from None
