"""What a decoder must not be handed: small files that cost it minutes or gigabytes, whatever their headers say.

All three were found by fuzzing and measured on the decoder in use (docs/reference/fuzzing.md):

- a PNG chunk that names more bytes than the file has: the reader sets them all aside first, up to 2 GiB;
- PNG text chunks: each may unpack to 8 MB, though nobody reads them;
- a progressive JPEG of thousands of scans: forty bytes each, and each a pass over all its pixels.
"""

from __future__ import annotations

import struct

from engines.errors import DecodeError

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
# The chunks that make the picture, and its orientation. Animation, text and colour profiles are left out.
_PNG_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"))
_MAX_CHUNKS = 65_536  # of 160 bytes each in the largest file; encoders write IDATs of thousands
_MAX_SCANS = 100  # encoders write about ten; thumbnails inside the file may add theirs


def defused(data: bytes) -> bytes:
    """The picture's file without what does not belong to the picture. Raises DecodeError when it cannot be sound."""
    if data.startswith(PNG):
        return _png(data)
    # Inside a scan's data FF is always followed by 00 or a restart marker: FF DA begins a scan.
    if data.startswith(JPEG) and data.count(b"\xff\xda") > _MAX_SCANS:
        raise DecodeError(f"the JPEG has more than {_MAX_SCANS} scans")
    return data


def _png(data: bytes) -> bytes:
    if data[12:16] != b"IHDR":  # the size is read there before anything else looks
        raise DecodeError("the PNG does not begin with its header")
    view = memoryview(data)
    kept: list[bytes | memoryview] = [PNG]
    at = len(PNG)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise DecodeError("the PNG is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise DecodeError("a chunk of the PNG is longer than the file")
        if name in _PNG_CHUNKS:
            kept.append(view[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end
    raise DecodeError(f"the PNG has more than {_MAX_CHUNKS} chunks")
