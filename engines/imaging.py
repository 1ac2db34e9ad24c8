"""Bytes to pictures: JPEG, PNG and BMP in every colour form people send, into BGR uint8.

The EXIF orientation is applied, so a picture is seen, and its boxes are given, as a viewer shows it. Transparent
pixels lie on white. Sixteen-bit samples keep their upper byte.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

from engines.defuse import defused
from engines.errors import DecodeError, PictureTooLarge
from engines.types import Image

_PNG = b"\x89PNG\r\n\x1a\n"
# Markers that open a JPEG frame and so carry its size: SOF0..SOF15 without DHT, JPG and DAC.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END = b"\xff\xd9"  # closes a JPEG, and cannot stand in its compressed data
_MAX_MARKERS = 4096  # before the frame; a file of nothing but markers would be walked for seconds


def decode(data: bytes, max_pixels: int) -> Image:
    """The picture as BGR uint8 of shape (height, width, 3).

    Raises PictureTooLarge when the header names more than `max_pixels` pixels (nothing is decoded then), DecodeError
    when the bytes are not a readable JPEG, PNG or BMP.
    """
    width, height = header_size(data)
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}x{height} pixels, the limit is {max_pixels}")
    data = defused(data)
    buffer = np.frombuffer(data, np.uint8)
    try:
        if _png_has_alpha(data):
            raw = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
                return _on_white(raw)
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DecodeError(str(error)) from None
    if image is None:
        raise DecodeError("the decoder gave nothing back")
    return np.asarray(image, np.uint8)


def header_size(data: bytes) -> tuple[int, int]:
    """Width and height as the file's header names them (before EXIF turns). Raises DecodeError."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"BM"):
            width, height = _bmp_size(data)
        else:
            raise DecodeError("neither JPEG, PNG nor BMP")
    except struct.error:
        raise DecodeError("the header is cut off") from None
    if width < 1 or height < 1:
        raise DecodeError(f"the header names {width}x{height} pixels")
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MAX_MARKERS):
        marker, length = struct.unpack_from(">xBH", data, at)
        if data[at] != 0xFF:
            raise DecodeError("the JPEG's segments do not follow one another")
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _SOF:
            height, width = struct.unpack_from(">HH", data, at + 5)
            if width < 1 or height < 1:
                raise DecodeError(f"the header names {width}x{height} pixels")
            if data.find(_END, at) < 0:  # some releases of OpenCV fill what is missing with grey and say nothing
                raise DecodeError("the JPEG breaks off")
            return width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers that stand alone
            at += 2
        else:
            at += 2 + max(length, 2)
    raise DecodeError("the JPEG has no frame within its first markers")


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return int(width), abs(int(height))  # a negative height means rows from the top


def _png_has_alpha(data: bytes) -> bool:
    """Whether a PNG carries alpha: in its colour type, or as a tRNS chunk (which stands before the first IDAT)."""
    if not data.startswith(_PNG):
        return False
    return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[: data.find(b"IDAT")]


def _on_white(raw: np.ndarray) -> Image:
    """BGRA of 8 or 16 bits laid on white."""
    if raw.dtype == np.uint16:
        raw = (raw >> 8).astype(np.uint8)
    alpha = raw[:, :, 3:].astype(np.uint16)
    laid = (raw[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return laid.astype(np.uint8)
