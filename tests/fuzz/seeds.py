"""Inputs to start from, and hand-made ones for every trick that is known: written into corpus/<target>/ by

python -m tests.fuzz.seeds
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from inkgate_client._sealing import Sealer
from PIL import Image

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.sealed import keys
from tests import image_files
from tests.fuzz import image_mutations, targets
from tests.image_files import chunk, saved

CORPUS = Path(__file__).parent / "corpus"


def images() -> Iterator[tuple[str, bytes]]:
    """Small images in all variants of the three formats, valid and damaged."""
    gradient = Image.linear_gradient("L").resize((40, 36))
    colour = Image.merge("RGB", (gradient, gradient.rotate(180), gradient))
    yield "grey.png", saved(gradient, "PNG")
    yield "rgb.png", saved(colour, "PNG")
    deep = np.full((36, 40, 4), 40_000, np.uint16)
    yield "rgba-sixteen.png", cv2.imencode(".png", deep)[1].tobytes()
    yield "rgba.png", saved(colour.convert("RGBA"), "PNG")
    yield "palette.png", saved(colour.quantize(8), "PNG", transparency=0)
    yield "onebit.png", saved(gradient.convert("1"), "PNG")
    yield "sixteen.png", saved(gradient.convert("I;16"), "PNG")
    yield "grey.jpg", saved(gradient, "JPEG")
    yield "rgb.jpg", saved(colour, "JPEG")
    yield "progressive.jpg", saved(colour, "JPEG", progressive=True)
    yield "cmyk.jpg", saved(colour.convert("CMYK"), "JPEG")
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "turned.jpg", saved(colour, "JPEG", exif=exif)
    yield "icc.jpg", saved(colour, "JPEG", icc_profile=b"\0\0\1\0junk" * 8)
    for name, mode in (("rgb", "RGB"), ("palette", "P"), ("grey", "L"), ("onebit", "1")):
        yield f"{name}.bmp", saved(colour.convert(mode), "BMP")
    bmp = bytearray(saved(colour, "BMP"))
    struct.pack_into("<i", bmp, 22, -36)
    yield "topdown.bmp", bytes(bmp)
    yield "os2.bmp", b"BM" + struct.pack("<IHHIIHHHH", 26 + 3 * 40 * 36, 0, 0, 26, 12, 40, 36, 1, 24) + bytes(4320)
    yield from _broken(saved(colour, "PNG"), saved(colour, "JPEG"), saved(colour, "BMP"))


def contradictory() -> Iterator[tuple[str, bytes]]:
    """Files that name two sizes or hold two images, and odd ones that are sound."""
    jpeg, eoi = image_files.jpeg(40, 36), image_files.EOI
    pieces = image_files.parts(jpeg)
    yield "hidden-frame.jpg", image_files.hidden_frame((40, 36), image_files.resized(jpeg, 16_000, 16_000))
    yield "hidden-frame-small.jpg", image_files.hidden_frame((64, 64), jpeg)
    yield "frame-behind-scan.jpg", jpeg.removesuffix(eoi) + image_files.frame(64, 64) + eoi
    yield "height-behind-scan.jpg", jpeg.removesuffix(eoi) + image_files.segment(0xDC, b"\0\x40") + eoi
    yield "stray.jpg", pieces[0] + pieces[1] + b"".join(b"\xff\0stray" + piece for piece in pieces[2:])
    yield "no-end.jpg", jpeg.removesuffix(eoi)
    yield "no-end-padded.jpg", jpeg.removesuffix(eoi) + bytes(500)
    yield "two-images.jpg", jpeg + image_files.jpeg(64, 48)
    yield "image-inside.jpg", jpeg.removesuffix(eoi) + image_files.jpeg(64, 48)
    yield "cut-with-end.jpg", jpeg[: len(jpeg) * 3 // 4] + eoi
    yield "animated.png", image_files.animated_png(40, 36)
    png = image_files.png(40, 36)
    yield "second-header.png", png[:33] + image_files.ihdr(64, 48) + png[33:]
    yield "header-checksum.png", png[:29] + bytes(4) + png[33:]
    for header in (12, 16, 36, 52, 56, 64, 108, 124):
        yield f"header-{header}.bmp", image_files.bmp(40, 36, header=header)
    yield "rle8.bmp", image_files.bmp(40, 36, bits=8, compression=1, pixels=b"\x28\x09\0\0" * 36 + b"\0\1")
    yield "rle4.bmp", image_files.bmp(40, -36, bits=4, compression=2, pixels=b"\x28\x99\0\0" * 36 + b"\0\1")
    yield "fields.bmp", image_files.bmp(40, 36, bits=16, compression=3)
    yield "lowest.bmp", image_files.bmp(40, -(2**31), pixels=b"d" * 500)


def changes() -> Iterator[tuple[str, bytes]]:
    """Every base of image_mutations unchanged, and every change once to a base of each format."""
    bases = image_mutations.bases()
    for number in range(len(bases)):
        yield f"base-{number}", bytes((number,))
    for start in (b"\xff\xd8", b"\x89PNG", b"BM"):
        number = next(number for number, base in enumerate(bases) if base.startswith(start))
        for what in range(24):
            yield f"change-{number}-{what}", bytes((number, what, 3, 40, 64))
    yield "animation-that-crashes", bytes.fromhex("0aeb197a694ba71939774597b85f700b1c06031464")
    yield "end-with-a-length", bytes.fromhex("2d807c442949454e44")
    yield "chunk-of-gigabytes", bytes.fromhex("322d59e9e9e9e9b16a979de9e9ede9e9e9e9e9e9e9e9e9e9e9e9e940")


def _broken(png: bytes, jpeg: bytes, bmp: bytes) -> Iterator[tuple[str, bytes]]:
    for name, whole in (("png", png), ("jpg", jpeg), ("bmp", bmp)):
        for size in (3, 20, 30, len(whole) // 2):
            yield f"cut-{size}.{name}", whole[:size]
        yield f"tail.{name}", whole + b"PK\x03\x04<script>alert(1)</script>"
    yield "bomb.png", _png(65535, 65535, zlib.compress(bytes(1000)))
    yield "lying.png", _png(40, 36, zlib.compress(bytes(200_000)))
    yield "empty.png", _png(0, 0, b"")
    yield "no-ihdr.png", png[:12] + b"IDAT" + png[16:]
    yield "bomb.jpg", jpeg.replace(struct.pack(">HH", 36, 40), struct.pack(">HH", 65535, 65535), 1)
    frame = jpeg.find(b"\xff\xc0")
    small = jpeg[:frame] + jpeg[frame : frame + 19].replace(struct.pack(">HH", 36, 40), struct.pack(">HH", 999, 999))
    yield "two-frames.jpg", small + jpeg[frame:]
    yield "fill.jpg", b"\xff\xd8\xff" + b"\xff" * 8000
    yield "standalone.jpg", b"\xff\xd8\xff\xd0" + b"\xff\xd0" * 5000
    yield "segments.jpg", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5000
    yield "zero-segments.jpg", b"\xff\xd8" + b"\xff\xe0\x00\x00" * 20 + jpeg[2:]
    yield "no-marker.jpg", b"\xff\xd8\xff\xe0\x00\x04ab" + bytes(20)
    yield "end-first.jpg", b"\xff\xd8\xff\xd9" + bytes(20)
    yield "zero.jpg", jpeg.replace(struct.pack(">HH", 36, 40), bytes(4), 1)
    yield "broken-scan.jpg", jpeg[: jpeg.find(b"\xff\xda")] + b"\xff\xda\x00\x02" + bytes(50)
    yield "scans.jpg", jpeg[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 101 + b"\xff\xd9"
    yield "chunks.png", png[:33] + chunk(b"IDAT", b"") * 200
    yield "text.png", png[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(4000))) + png[33:]
    yield "late-header.png", png[:8] + chunk(b"tEXt", struct.pack(">II", 40, 36) + b"k\0xxx") + png[8:]
    yield "no-data.png", _png(40, 36, b"")
    yield "bomb.bmp", bmp[:18] + struct.pack("<ii", 2**31 - 1, -(2**31)) + bmp[26:]
    yield "zero.bmp", bmp[:18] + struct.pack("<ii", 0, 0) + bmp[26:]
    for kind in (1, 2, 3, 4, 5, 6):
        yield f"compression-{kind}.bmp", bmp[:30] + struct.pack("<I", kind) + bmp[34:]


def _png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def texts() -> Iterator[tuple[str, str, bytes]]:
    """(target, name, input) for the parsers of text."""
    signed = "ctyun-eop-request-id;eop-date Signature=" + "A" * 43 + "="
    for name, value in {
        "sample": f"ak Headers=appkey;{signed}",
        "lower": f"ak headers={signed}",
        "blanks": f"  ak \t Headers={signed}  ",
        "twice": f"ak Headers=a;a;A;{signed}",
        "empty-names": "ak Headers=;;; Signature=" + "A" * 43 + "=",
        "short": "ak Headers=eop-date Signature=AAAA",
        "noise": "Bearer abc",
        "not-base64": "ak Headers=eop-date Signature=!!!!",
        "many": f"ak Headers={';'.join(f'h{n}' for n in range(300))};{signed}",
    }.items():
        yield "authorization", name, value.encode()
    for name, value in {
        "pairs": "b=2&a=1&a=0&c=%E4%B8%AD%20x",
        "blanks": "a=1+2&a-b=1%202",
        "broken": "%&%%=%zz&=&&a==b&%ff=%fe",
        "keys": "a&b&c",
        "none": "",
    }.items():
        yield "query", name, value.encode()
    for name, value in {
        "now": "20260102T030405Z",
        "beijing": "20260102T110405Z",
        "short": "202612T30405Z",
        "feb30": "20260230T000000Z",
        "year0": "00000101T000000Z",
    }.items():
        yield "eop_date", name, value.encode()
    for name, value in {
        "one": "198.51.100.7",
        "chain": "198.51.100.7, 10.1.2.3, fd00::1",
        "spoof": "127.0.0.1, not-an-address, 10.0.0.2",
        "mapped": "::ffff:198.51.100.7",
        "zone": "fe80::1%eth0",
        "ours": "10.1.1.1, fd00::2",
    }.items():
        yield "forwarded", name, value.encode()
    for capability in CAPABILITIES.values():
        for number, path in enumerate(capability.paths):
            yield "route", f"{capability.name}-{number}", f"POST {path.removeprefix('/v1/aiop/api/')}".encode()
    yield "route", "get", b"GET 2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"
    yield "route", "method-without-a-row", b"GET 2gt54ed8660w/driven-plate-ocr/platelicense.json"
    yield "route", "path-without-a-row", b"POST 2gt54ed8660w/nothing"
    yield "route", "dots", b"POST ../2f3p1pnxpqm8/../x"


def bodies() -> Iterator[tuple[str, str, bytes]]:
    png = saved(Image.new("L", (40, 36)), "PNG")
    text = targets.base64.b64encode(png).decode()
    for name, document in {
        "batch": {"data": [text, "!", "", None, 7, "AAAA"]},
        "licence": {"Action": "BusinessCardOCR", "ImageData": text},
        "extra": {"Action": "BusinessCardOCR", "ImageData": text, "x": 1},
        "action": {"Action": "TTS", "ImageData": text},
        "many": {"data": ["AAAA"] * 51},
        "none": {"data": []},
        "missing": {"x": 1},
        "no-list": {"data": text},
        "licence-types": {"Action": 1, "ImageData": None},
        "licence-none": {"Action": "BusinessCardOCR", "ImageData": ""},
        "licence-broken": {"Action": "BusinessCardOCR", "ImageData": "AAAA"},
    }.items():
        yield "body", name, json.dumps(document).encode()
    for name, raw in {
        "empty": b"",
        "null": b"null",
        "deep": b'{"data":' + b"[" * 2000,
        "surrogate": b'{"data":["\\ud800"]}',
        "twice": b'{"data":[],"data":["AAAA"]}',
        "bom": b"\xef\xbb\xbf{}",
        "number": b'{"data":1e999999}',
        "nan": b'{"data":NaN}',
        "latin": b'{"data":["\xff"]}',
    }.items():
        yield "body", name, raw
    for name, raw in {
        "plain": b'{"data":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],"x":1}',
        "key": b'{"aaaaaaaaaaaaaaaa":1,"aaaaaaaaaaaaaaaa":[2]}',
        "slashes": b'["\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/\\/a"]',
        "backslashes": b'["a' + b"\\\\" * 30 + b'"]',
        "quotes": b'["a' + b'\\"' * 30 + b'"]',
        "pairs": b'["a' + b"\\ud83d\\ude00" * 8 + b'"]',
        "lone": b'["aaaaaaaaaaaaa\\ud83d","\\ude00aaaaaaaaaaaaaaa"]',
        "emoji": '["{}"]'.format("\U0001f600" * 12).encode(),
        "no-utf8": b'["aaaaaaaaaaaaaaaaaaa\x80"]',
        "control": b'["aaaaaaaaaaaaaaaaaaaaaa\n"]',
        "open": b'["aaaaaaaaaaaaaaaaaaaaaa\\"]',
        "outside": b'[\\"aaaaaaaaaaaaaaaaaaaaaa"]',
    }.items():
        yield "long_strings", name, raw
    for name, raw in {"plain": b"AAAA", "safe": b"_-8=", "short": b"QQ", "three": b"A===", "line": b"AA\nAA"}.items():
        yield "base64_text", name, raw
    yield "envelope", "garbage", b"\0{}"
    yield "envelope", "opens", b"\x10"
    for bit in (1, 2, 4, 3, 7, 0x41, 0x42, 0x44, 0x21, 0x22):
        yield "envelope", f"bits-{bit}", bytes([bit]) + b"\x04" + bytes(112)
    yield "envelope", "no-json", b"\0{"
    yield "envelope", "no-object", b"\0[]"
    yield "envelope", "bad-base64", b"\x41!!!!"
    yield "envelope", "not-ascii", b"\x42\xe9\xe9"
    yield "envelope", "urlsafe", b"\x42_-_-"
    yield "envelope", "ragged-sm4", b"\x02abc"
    yield "envelope", "padding-sm4", b"\x02" + bytes(16)
    yield "envelope", "short-key", b"\x01" + _short_key()
    for status in range(8):
        yield "client_answer", f"status-{status}", bytes([status]) + b'{"statusCode":50300,"message":"x"}'
    page = {"statusCode": 0, "returnObj": [{"detail": [{"text": "a", "box": [0] * 8}]}, {"err_code": 1, "err_msg": ""}]}
    yield "client_answer", "page", b"\0" + json.dumps(page).encode()


def _short_key() -> bytes:
    """A valid SM2 ciphertext of a key that is no SM4 key."""
    sealer = Sealer(keys.public_of(targets.PRIVATE))
    while b"\n" in (sealed := targets.base64.b64decode(sealer._sm2(b"short"))):
        pass  # the target splits its input there
    return sealed


def main() -> None:
    inputs = [*texts(), *bodies()]
    files = [*images(), *contradictory()]
    inputs += [(name, file, data) for file, data in files for name in ("picture", "picture_header")]
    inputs += [("image_decoder", name, data) for name, data in changes()]
    for name, file, data in inputs:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)


if __name__ == "__main__":
    main()
