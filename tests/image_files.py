"""Image files built part by part, valid ones and inconsistent ones."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
EOI = b"\xff\xd9"
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def sample_image(width: int, height: int, seed: int = 1) -> Image.Image:
    """Smooth colours with a hard-edged block: no corner is grey."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    image.paste((250, 30, 20), (0, 0, width // 3, height // 3))
    image.paste((10, 20, 120), (width * 2 // 3, height * 2 // 3, width, height))
    return image


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def jpeg(width: int, height: int, mode: str = "RGB", **options: object) -> bytes:
    return saved(sample_image(width, height).convert(mode), "JPEG", **{"quality": 85, **options})


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def frame(width: int, height: int, marker: int = 0xC0) -> bytes:
    """A frame header of three components."""
    return segment(marker, struct.pack(">BHHB", 8, height, width, 3) + bytes((1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1)))


def parts(data: bytes) -> list[bytes]:
    """A JPEG cut before each of its markers; a scan's data stay with their SOS. Joined, they are the file."""
    cuts, at = [0], 2
    while (found := _MARKER.search(data, at)) is not None:
        cuts.append(found.start())
        at = found.end()
        if data[at - 1] != 0xD9:
            at += int.from_bytes(data[at : at + 2])
        else:
            break
    return [data[start:end] for start, end in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def resized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header, if it has one, names another size; its scan stays as it was."""
    found = re.search(rb"\xff[\xc0-\xc2]\x00[\x0b\x11\x14]\x08", data)
    if found is None:
        return data
    at = found.start()
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def hidden_frame(shown: tuple[int, int], decoded: bytes) -> bytes:
    """`decoded` behind FF 00, which libjpeg passes over; a reader that takes 00 for a marker with a length jumps to
    a frame header of size `shown` behind the scan."""
    body = decoded[2:].removesuffix(EOI)
    return b"\xff\xd8\xff\x00" + struct.pack(">H", len(body) + 2) + body + frame(*shown) + EOI


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def ihdr(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def idat(width: int, height: int, value: int = 100) -> bytes:
    return chunk(b"IDAT", zlib.compress((b"\0" + bytes((value,)) * width * 3) * height))


def png(width: int, height: int) -> bytes:
    return PNG + ihdr(width, height) + idat(width, height) + chunk(b"IEND", b"")


def animated_png(width: int, height: int) -> bytes:
    """Two frames: the default image, of value 100, and one of value 200."""

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))

    second = chunk(b"fdAT", struct.pack(">I", 2) + idat(width, height, 200)[8:-4])
    frames = control(0) + idat(width, height) + control(1) + second
    return PNG + ihdr(width, height) + chunk(b"acTL", struct.pack(">II", 2, 0)) + frames + chunk(b"IEND", b"")


def bmp(
    width: int,
    height: int,
    *,
    header: int = 40,
    bits: int = 24,
    compression: int = 0,
    offset: int | None = None,
    pixels: bytes | None = None,
) -> bytes:
    """A BMP with a header of `header` bytes; its pixels are 100 where `pixels` does not give them."""
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
        masks = struct.pack("<IIII", 0xF800, 0x7E0, 0x1F, 0) if compression == 3 else bytes(16)
        head = (head + (masks if header > 40 else b"") + bytes(256))[: min(header, 296)]
        head += masks[:12] if compression == 3 and header == 40 else b""
    palette = b"".join(bytes((i, i, i, 0)[: 3 if header == 12 else 4]) for i in range(1 << bits)) if bits <= 8 else b""
    if pixels is None:
        pixels = b"d" * ((width * bits + 31) // 32 * 4 * min(abs(height), 4096))
    at = 14 + len(head) + len(palette) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(palette) + len(pixels), 0, 0, at) + head + palette + pixels
