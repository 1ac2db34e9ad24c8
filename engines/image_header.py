"""Width and height from a JPEG, PNG or BMP header, parsed as the decoder parses it.

The gateway's limits and the worker's decoding both rest on this reading. It follows libjpeg-turbo, libpng and OpenCV's
own BMP reader: a reader that skips other bytes than the decoder does can be shown another header (ADR 0052). Only the
standard library is used, for the gateway loads no decoder.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inkgate.engines.errors import DecodeError

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"  # the start of image and the next marker's first byte, as OpenCV recognises a JPEG
BMP = b"BM"

SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that open a frame: SOF0..15 without DHT, JPG, DAC
EOI, SOS, DNL = 0xD9, 0xDA, 0xDC
_TEM = 0x01  # the only marker without a length besides RST0..7, SOI and EOI
# Markers that libjpeg reads or skips by their length; any other ends the decoding with an error.
_WITH_LENGTH = SOF | {0xC4, 0xCC, SOS, 0xDB, DNL, 0xDD, 0xFE} | frozenset(range(0xE0, 0xF0))

# libjpeg goes on to the next FF that neither 00 (a data byte) nor FF (fill) follows, whatever lies before it. Restart
# markers are skipped wherever they stand.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_MAX_MARKERS = 4096  # of one file; one of nothing but markers would be walked for seconds
_MAX_FF = 1_000_000  # of one file: each costs a step of the search. A scan of noise has one in fifty bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A JPEG marker, whose FF stands at `at`, and what its length covers: `data[start:end]`.

    `last` when the decoder reads no further: at EOI, a marker that libjpeg refuses, a segment longer than the file.
    """

    marker: int
    at: int
    start: int
    end: int
    last: bool = False


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, before any EXIF turn, as the decoder would take them from the header.

    Either may be 0, or the width of a BMP negative, where the header says so. Reads no further than the header. Raises
    DecodeError when there is none that the decoder would find.
    """
    try:
        if data.startswith(PNG):
            return _png_size(data)
        if data.startswith(JPEG):
            return _jpeg_size(data)
        if data.startswith(BMP):
            return _bmp_size(data)
    except struct.error:
        raise DecodeError("the header is cut off") from None
    raise DecodeError("neither JPEG, PNG nor BMP")


def jpeg_segments(data: bytes) -> Iterator[Segment]:
    """The markers of a JPEG after its SOI, in the decoder's order, up to its `last` one or the end of the data.

    Raises DecodeError for a file of too many markers or FF bytes.
    """
    if data.count(b"\xff") > _MAX_FF:
        raise DecodeError(f"the JPEG has more than {_MAX_FF} FF bytes")
    at = len(JPEG) - 1
    for _ in range(_MAX_MARKERS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker, start = data[found.end() - 1], found.end()
        if marker == _TEM:
            at = start
            continue
        # Lengths of 0 and 1 skip nothing: libjpeg takes the two bytes of the length itself in any case.
        end = start + max(int.from_bytes(data[start : start + 2]), 2)
        if marker not in _WITH_LENGTH or end > len(data):
            yield Segment(marker, found.start(), start, start, last=True)
            return
        yield Segment(marker, found.start(), start + 2, end)
        at = end
    raise DecodeError(f"the JPEG has more than {_MAX_MARKERS} markers")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for segment in jpeg_segments(data):
        if segment.marker == SOS or segment.last:
            break
        if segment.marker in SOF:
            height, width = struct.unpack_from(">HH", data, segment.start + 1)
            return width, height
    raise DecodeError("the JPEG has no frame header before its first scan")


def _png_size(data: bytes) -> tuple[int, int]:
    length, name, width, height = struct.unpack_from(">I4sII", data, len(PNG))
    if name != b"IHDR" or length != 13:
        raise DecodeError("the PNG does not begin with its header")
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<i", data, 14)
    if header == 12:  # OS/2's core header
        width, height = struct.unpack_from("<HH", data, 18)
    elif header >= 36:  # from Windows' 40 bytes up; OpenCV reads 36 of them
        width, height = struct.unpack_from("<ii", data, 18)
    else:
        raise DecodeError(f"a BMP header of {header} bytes")
    return width, abs(height)  # a negative height marks rows stored top-down
