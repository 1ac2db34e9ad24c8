"""Completeness check of JPEG files: frame header, scans, end marker.

libjpeg fills missing scan data with grey and reports it on stderr only; OpenCV's behaviour for a truncated file depends
on its release. Completeness is therefore checked here, by the markers and, where they do not decide, by `is_truncated`:
bytes after a complete scan do not change the image (ADR 0052).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inkgate.engines.errors import DecodeError
from inkgate.engines.image_header import DNL, EOI, SOF, SOS, Segment, jpeg_segments
from inkgate.engines.types import Image

_END = b"\xff\xd9"
_MAX_SCANS = 100  # encoders write about ten
_PROGRESSIVE = (0xC2, 0xCA)
_ARITHMETIC = (0xC9, 0xCA)  # their scans may leave out bytes at the end, so no byte is ever missing
_EVERY_COEFFICIENT = (1 << 64) - 1
_KEPT_PADDING = 4  # bytes: a scan may end in stuffed or zero bytes of its own
_FILL = 128  # luma of blocks that libjpeg was given no data for; those of CMYK have no one value
_NEAR_FILL = 1.5  # grey levels; chroma upsampling mixes in adjacent blocks, and values are rounded
_CORNER = 4  # pixels a side, at most
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_PROBE = bytes((place * 73 + 41) % 255 for place in range(256))  # no value is 255: none of them begins a marker


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A JPEG up to the end of its last scan.

    `body` has no EOI and nothing of what follows it; the data of its last scan begin at `scan`.
    """

    body: bytes
    scan: int
    has_eoi: bool
    has_every_coefficient: bool  # of every component, as the scans' headers say
    arithmetic: bool
    cmyk: bool
    corner: int  # side in pixels of the square at the lower right that lies in the last block

    @property
    def data(self) -> bytes:
        """The file to decode."""
        return self.body + _END


def parse_jpeg(data: bytes) -> JpegFile:
    """The JPEG without trailing data. `data` starts with SOI.

    It ends with its last scan; after it the decoder only searches for EOI. Raises DecodeError for a second frame
    header or a DNL marker before EOI, which would give another size than the first frame header; for a file that
    breaks off between its scans or before them; and for more than 100 scans.
    """
    frame: Segment | None = None
    scans: list[Segment] = []
    end, has_eoi, complete = len(data), False, False
    for segment in jpeg_segments(data):
        marker = segment.marker
        if scans and end == len(data):
            end = segment.at
        if segment.last:
            has_eoi = marker == EOI
        elif complete and not _well_formed(data, segment):
            break  # trailing bytes that look like a marker
        elif complete and marker == SOS and frame is not None and frame.marker not in _PROGRESSIVE:
            break  # the image is complete; the decoder reads no further scan
        elif marker == DNL or (marker in SOF and frame is not None):
            raise DecodeError("the JPEG has a second frame header, or sets its height a second time")
        elif marker in SOF:
            frame = segment
        elif marker == SOS and frame is not None:
            if len(scans) == _MAX_SCANS:
                raise DecodeError(f"the JPEG has more than {_MAX_SCANS} scans")
            scans.append(segment)
            end, complete = len(data), _has_every_coefficient(data, frame, scans)
    if frame is None or not scans or not _well_formed(data, frame):
        raise DecodeError("the JPEG has no image")
    arithmetic = frame.marker in _ARITHMETIC
    if not has_eoi:
        if not complete or arithmetic:
            raise DecodeError("the JPEG breaks off")
        end = _without_padding(data, scans[-1].end, end)
    cmyk = data[frame.start + 5] == 4
    return JpegFile(data[:end], scans[-1].end, has_eoi, complete, arithmetic, cmyk, _corner(data, frame))


def _well_formed(data: bytes, segment: Segment) -> bool:
    """Whether a frame header, scan header or DNL has the length that its contents give it."""
    size, start = segment.end - segment.start, segment.start
    if segment.marker in SOF:
        return size > 6 and size == 6 + 3 * data[start + 5]
    if segment.marker == SOS:
        return size > 4 and size == 4 + 2 * data[start]
    return segment.marker != DNL or size == 2


def is_truncated(file: JpegFile, image: Image, decode: Callable[[bytes], Image | None]) -> bool:
    """Whether the last scan breaks off, given the `image` of `file.data` and a way to decode.

    Decodes a second time, with probe bytes appended to the scan, when the markers or a grey corner suggest truncation:
    a decoder with complete data ignores them, one that lacks data decodes them into pixels.
    """
    if file.arithmetic:
        return False
    if file.has_eoi and file.has_every_coefficient and not file.cmyk and not _grey_corner(image, file.corner):
        return False
    other = decode(file.body + _probe(file) + _END)
    return other is None or not np.array_equal(image, other)


def _probe(file: JpegFile) -> bytes:
    """Bytes that no encoder writes after this scan, with the restart markers that may be due among them."""
    due = len(_RESTART.findall(file.body, file.scan))
    markers = [bytes((0xFF, 0xD0 + (due + count) % 8)) for count in range(8)]
    return _PROBE + b"".join(marker + _PROBE[:64] for marker in markers)


def _corner(data: bytes, frame: Segment) -> int:
    """Side in pixels of the square at the lower right that lies in the last block of every component."""
    height, width = (int.from_bytes(data[at : at + 2]) for at in (frame.start + 1, frame.start + 3))
    sampling = data[frame.start + 7 : frame.end : 3]
    # A single component has blocks of 8 pixels for any sampling; several are interleaved in MCUs.
    alone = len(sampling) == 1
    across = 8 if alone else 8 * max(1, *(factors >> 4 for factors in sampling))
    down = 8 if alone else 8 * max(1, *(factors & 15 for factors in sampling))
    return min(_CORNER, (width - 1) % across + 1, (height - 1) % down + 1)


def _grey_corner(image: Image, side: int) -> bool:
    """Whether a corner has the grey of missing data. The last block stays in a corner under any EXIF orientation."""
    ends = (slice(0, side), slice(-side, None))
    corners = np.stack([image[rows, columns].reshape(-1, 3) for rows in ends for columns in ends])
    luma = corners.astype(np.float32) @ np.array((0.114, 0.587, 0.299), np.float32)
    return bool((np.abs(luma - _FILL) <= _NEAR_FILL).all(axis=1).any())


def _has_every_coefficient(data: bytes, frame: Segment, scans: list[Segment]) -> bool:
    """Whether the scan headers cover every component and, in a progressive file, every bit of its coefficients."""
    components = data[frame.start + 6 : frame.end : 3]
    exact = dict.fromkeys(components, 0)  # component to the set of its coefficients that are complete, as bits
    for scan in scans:
        head = data[scan.start : scan.end]
        if len(head) < 6 or len(head) != 4 + 2 * head[0]:
            return False
        first, last, low = head[-3], min(head[-2], 63), head[-1] & 15
        band = ((2 << last) - 1) >> first << first
        if frame.marker not in _PROGRESSIVE:
            band, low = _EVERY_COEFFICIENT, 0
        for component in head[1:-3:2]:
            if component in exact and not low:
                exact[component] |= band
    return all(bits == _EVERY_COEFFICIENT for bits in exact.values())


def _without_padding(data: bytes, start: int, end: int) -> int:
    """The end of the last scan, without the zeros or FF that pad an interrupted download."""
    core = len(data[start:end].rstrip(b"\x00\xff"))
    return start + core + len(data[start + core : min(end, start + core + _KEPT_PADDING)].rstrip(b"\xff"))
