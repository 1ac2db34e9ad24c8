"""What a sealed picture of 10 MB costs the gateway, beside the same picture in plain: CPU seconds of its process.

    python -m benchmarks.sealed [--rounds 15]

Each round sends one call of either kind, signed, to a service whose engine is the stub. Results go to
benchmarks/results/sealed.json.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import struct
import time
from pathlib import Path

import httpx
import psutil
from inkgate_client._sealing import Sealer

from benchmarks.calls import PATH
from benchmarks.machine import facts
from benchmarks.sandbox import stub_service
from inkgate.service.eop.signing import call_headers

RESULTS = Path(__file__).with_name("results")
WIDTH, HEIGHT = 2000, 1747  # three octets each: 10,482,054 octets with the header, just below 10 MiB


def picture() -> bytes:
    """A BMP of noise, as large as one may be."""
    pixels = os.urandom(WIDTH * HEIGHT * 3)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels


def cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def measure(rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each call, by kind."""
    plain = json.dumps({"data": [base64.b64encode(picture()).decode()]}).encode()
    spent: dict[str, list[float]] = {"plain": [], "sealed": []}
    with stub_service() as (keys, gateway), httpx.Client(timeout=60, trust_env=False) as http:
        sealed, seal = Sealer(keys["ENCKEY"]).seal(plain)
        for number in range(rounds + 1):  # the first round warms up
            for kind, body in (("plain", plain), ("sealed", sealed)):
                headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
                headers["decrypted"] = str(kind == "sealed").lower()
                before = cpu(gateway)
                answer = http.post(keys["BASE_URL"] + PATH, content=body, headers=headers).json()
                time.sleep(0.2)  # what is left to do after an answer
                if number:
                    spent[kind].append(cpu(gateway) - before)
                if kind == "sealed":
                    answer = json.loads(seal.open(answer["encryptedResult"], answer["encryptedResultHash"]))
                assert answer["message"] == {"success": 1, "fail": 0}, answer
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU that a sealed picture of 10 MB costs.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    machine = facts("cryptography", "gmssl-pyx", "uvicorn")
    spent = measure(options.rounds)
    medians = {kind: round(statistics.median(seconds), 3) for kind, seconds in spent.items()}
    more = sorted(sealed - plain for plain, sealed in zip(spent["plain"], spent["sealed"], strict=True))
    figures = {
        "rounds": options.rounds,
        "picture_bytes": len(picture()),
        "cpu_seconds": medians,
        "more": round(statistics.median(more), 3),
        "most_more": round(more[-1], 3),
    }
    (RESULTS / "sealed.json").write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    assert figures["more"] < 0.5, "a sealed picture of 10 MB may cost half a second more"


if __name__ == "__main__":
    main()
