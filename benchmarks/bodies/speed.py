"""How long the gateway's reader takes for ordinary bodies, beside one that has orjson build everything."""

from __future__ import annotations

import binascii
import time
from typing import Any

import orjson

from benchmarks.bodies.shapes import GENERAL, LICENCE, one_image
from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.images import check_image
from inkgate.service.contract.requests import decode_and_check, parse

SIZES = {"10 kB": 10_000, "500 kB": 500_000, "5 MB": 5_000_000, "10 MB": 10_000_000}
ROUNDS = 30
_URLSAFE = bytes.maketrans(b"-_", b"+/")


def bounded(capability: Capability, body: bytearray) -> None:
    decode_and_check(capability, parse(capability, body))


def everything(capability: Capability, body: bytearray) -> None:
    """The simplest reader: the whole body as Python objects, the whole text as bytes, translated, decoded."""
    document = orjson.loads(body)
    (text,) = [document["ImageData"]] if capability.single else document["data"]
    raw = text.encode("ascii").translate(_URLSAFE)
    core = raw.rstrip(b"=")
    check_image(binascii.a2b_base64(core + b"=" * (-len(core) % 4), strict_mode=True), capability)


def compared() -> dict[str, Any]:
    """The shortest milliseconds of each reader for each size, measured in turns."""
    found: dict[str, Any] = {}
    for name, size in SIZES.items():
        for capability in (GENERAL, LICENCE):
            if size > capability.max_image_bytes:
                continue
            body = bytearray(one_image(size, capability))
            best = dict.fromkeys(("bounded", "everything built"), float("inf"))
            for _ in range(ROUNDS):
                for label, reader in (("bounded", bounded), ("everything built", everything)):
                    began = time.perf_counter()
                    reader(capability, body)
                    best[label] = min(best[label], (time.perf_counter() - began) * 1e3)
            found[f"{name}, {capability.name}"] = {label: round(ms, 3) for label, ms in best.items()}
            print(f"{name:>7} {capability.name:8} " + ", ".join(f"{label} {ms:.3f} ms" for label, ms in best.items()))
    return found
