"""Gateway CPU time of an encrypted 10 MB image compared with the same image in plain text.

    python -m benchmarks.sealed [--rounds 15]

Each round sends one signed call of each kind to a service with the stub engine. The result is CPU seconds of the
gateway process, in benchmarks/results/sealed.json.
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
WIDTH, HEIGHT = 2000, 1747  # pixels of 3 bytes: 10,482,054 bytes with the header, just below 10 MiB


def image() -> bytes:
    """A BMP file of random pixels just below the size limit."""
    pixels = os.urandom(WIDTH * HEIGHT * 3)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, len(pixels), 0, 0, 0, 0) + pixels


def cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def measure(rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each call, by kind ("plain", "sealed"). The first round is warm-up and is not counted."""
    plain = json.dumps({"data": [base64.b64encode(image()).decode()]}).encode()
    spent: dict[str, list[float]] = {"plain": [], "sealed": []}
    with stub_service() as (keys, gateway), httpx.Client(timeout=60, trust_env=False) as http:
        sealed, seal = Sealer(keys["ENCKEY"]).seal(plain)
        for number in range(rounds + 1):
            for kind, body in (("plain", plain), ("sealed", sealed)):
                headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
                headers["decrypted"] = str(kind == "sealed").lower()
                before = cpu(gateway)
                answer = http.post(keys["BASE_URL"] + PATH, content=body, headers=headers).json()
                time.sleep(0.2)  # let the gateway finish its work after the answer
                if number:
                    spent[kind].append(cpu(gateway) - before)
                if kind == "sealed":
                    answer = json.loads(seal.open(answer["encryptedResult"], answer["encryptedResultHash"]))
                assert answer["message"] == {"success": 1, "fail": 0}, answer
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description="Gateway CPU time of an encrypted 10 MB image.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    machine = facts("cryptography", "gmssl-pyx", "uvicorn")
    spent = measure(options.rounds)
    medians = {kind: round(statistics.median(seconds), 3) for kind, seconds in spent.items()}
    more = sorted(sealed - plain for plain, sealed in zip(spent["plain"], spent["sealed"], strict=True))
    figures = {
        "rounds": options.rounds,
        "picture_bytes": len(image()),
        "cpu_seconds": medians,
        "more": round(statistics.median(more), 3),
        "most_more": round(more[-1], 3),
    }
    (RESULTS / "sealed.json").write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    assert figures["more"] < 0.5, "an encrypted image of 10 MB may cost at most half a CPU second more"


if __name__ == "__main__":
    main()
