"""Time of the gateway's body parser on ordinary bodies, compared with a parser that uses orjson for everything."""

from __future__ import annotations

import binascii
import time
from typing import Any

import orjson

from benchmarks.bodies.shapes import GENERAL, LICENCE, one_image
from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.images import check_image
from inkgate.service.contract.requests import check, parse

SIZES = {"10 kB": 10_000, "500 kB": 500_000, "5 MB": 5_000_000, "10 MB": 10_000_000}
ROUNDS = 30
_URLSAFE = bytes.maketrans(b"-_", b"+/")


def parse_bounded(capability: Capability, body: bytearray) -> None:
    check(capability, parse(capability, body))


def parse_with_orjson(capability: Capability, body: bytearray) -> None:
    """The simplest parser: the whole document as Python objects, then Base64 decoding of the whole string."""
    document = orjson.loads(body)
    (text,) = [document["ImageData"]] if capability.single else document["data"]
    raw = text.encode("ascii").translate(_URLSAFE)
    core = raw.rstrip(b"=")
    check_image(binascii.a2b_base64(core + b"=" * (-len(core) % 4), strict_mode=True), capability)


def compare_parsers() -> dict[str, Any]:
    """The shortest time of each parser in milliseconds by image size and capability; the parsers are interleaved."""
    result: dict[str, Any] = {}
    for name, size in SIZES.items():
        for capability in (GENERAL, LICENCE):
            if size > capability.max_image_bytes:
                continue
            body = bytearray(one_image(size, capability))
            best = dict.fromkeys(("bounded", "everything built"), float("inf"))
            for _ in range(ROUNDS):
                for label, parser in (("bounded", parse_bounded), ("everything built", parse_with_orjson)):
                    began = time.perf_counter()
                    parser(capability, body)
                    best[label] = min(best[label], (time.perf_counter() - began) * 1e3)
            result[f"{name}, {capability.name}"] = {label: round(ms, 3) for label, ms in best.items()}
            print(f"{name:>7} {capability.name:8} " + ", ".join(f"{label} {ms:.3f} ms" for label, ms in best.items()))
    return result
