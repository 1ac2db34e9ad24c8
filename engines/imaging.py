"""Image decoding: JPEG, PNG and BMP of any colour type to BGR uint8.

The EXIF orientation is applied, so an image is seen, and its boxes are given, as a viewer shows it. Transparent
images lie on white, or on a darker background where that shows their content (`compositing`). Sixteen-bit samples keep
their upper byte.
"""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.compositing import composite
from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.file_sanitiser import sanitise
from inkgate.engines.image_header import JPEG, PNG, image_size
from inkgate.engines.jpeg_structure import is_truncated, parse_jpeg
from inkgate.engines.types import Image


def decode(data: bytes, max_pixels: int) -> Image:
    """The image as BGR uint8 of shape (height, width, 3).

    Raises ImageTooLarge when the header names more than `max_pixels` pixels (nothing is decoded then), DecodeError
    when the bytes are not a readable JPEG, PNG or BMP, break off inside a scan, decode to another size than the header
    named, or need more memory than there is.
    """
    width, height = header_size(data)
    if width * height > max_pixels:
        raise ImageTooLarge(f"{width}x{height} pixels, the limit is {max_pixels}")
    try:
        image = _decode_jpeg(data) if data.startswith(JPEG) else _decode_with_opencv(sanitise(data))
    except (cv2.error, MemoryError) as error:
        raise DecodeError(str(error) or "not enough memory") from None
    if image is None:
        raise DecodeError("the decoder gave nothing back")
    if image.shape not in ((height, width, 3), (width, height, 3)):  # the second after an EXIF turn
        raise DecodeError(f"the header names {width}x{height} pixels, the image has the shape {image.shape}")
    return image


def header_size(data: bytes) -> tuple[int, int]:
    """Width and height as the file's header names them (before EXIF turns). Raises DecodeError."""
    width, height = image_size(data)
    if width < 1 or height < 1:
        raise DecodeError(f"the header names {width}x{height} pixels")
    return width, height


def _decode_jpeg(data: bytes) -> Image | None:
    file = parse_jpeg(data)
    image = _decode_with_opencv(file.data)
    if image is not None and is_truncated(file, image, _decode_with_opencv):
        raise DecodeError("the JPEG breaks off inside a scan")
    return image


def _decode_with_opencv(data: bytes) -> Image | None:
    """The image as OpenCV decodes it (BGR uint8), None when it cannot."""
    buffer = np.frombuffer(data, np.uint8)
    if _png_has_alpha(data):
        raw = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
            return composite(raw)
    image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def _png_has_alpha(data: bytes) -> bool:
    """Whether a PNG carries alpha: in its colour type, or as a tRNS chunk (which stands before the first IDAT)."""
    if not data.startswith(PNG):
        return False
    return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[: data.find(b"IDAT")]
