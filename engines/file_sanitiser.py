"""Sanitises image files before they are decoded: rejects contradictory headers, and small files that take minutes or
gigabytes to decode; drops what is not image data.

The costly ones were found by fuzzing and measured on the decoder in use (docs/reference/fuzzing.md):

- a PNG chunk that names more bytes than the file has: libpng allocates them first, up to 2 GiB;
- PNG text chunks: each may decompress to 8 MB, and none is used;
- a progressive JPEG of thousands of scans: forty bytes each, and each decodes all coefficients once.
"""

from __future__ import annotations

import struct
import zlib

from inkgate.engines.errors import DecodeError
from inkgate.engines.image_header import JPEG, PNG
from inkgate.engines.jpeg_structure import parse_jpeg

# The chunks that make the image, and its orientation. Animation, text and colour profiles are left out.
_ALLOWED_PNG_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"))
_MAX_CHUNKS = 65_536  # of 160 bytes each in the largest file; encoders write IDATs of thousands


def sanitise(data: bytes) -> bytes:
    """The file reduced to its image data. Raises DecodeError when the file is invalid."""
    if data.startswith(PNG):
        return _sanitise_png(data)
    return parse_jpeg(data).data if data.startswith(JPEG) else data


def _sanitise_png(data: bytes) -> bytes:
    if data[12:16] != b"IHDR":  # image_header reads the size at this offset
        raise DecodeError("the PNG does not begin with its header")
    if data[29:33] != zlib.crc32(data[12:29]).to_bytes(4):
        raise DecodeError("the PNG's header does not match its checksum")
    view = memoryview(data)
    allowed_chunks: list[bytes | memoryview] = [PNG]
    at = len(PNG)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise DecodeError("the PNG is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise DecodeError("a chunk of the PNG is longer than the file")
        if name == b"IHDR" and len(allowed_chunks) > 1:
            raise DecodeError("the PNG has a second header")
        if name in _ALLOWED_PNG_CHUNKS:
            allowed_chunks.append(view[at:end])
        if name == b"IEND":
            return b"".join(allowed_chunks)
        at = end
    raise DecodeError(f"the PNG has more than {_MAX_CHUNKS} chunks")
