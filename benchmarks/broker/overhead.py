"""Broker overhead: CPU per image, throughput of one and two workers, Redis compared with the embedded broker.

    python -m benchmarks.broker.overhead

The stub engine takes a fixed time and almost no CPU, so that the broker dominates the measurement and other load on
the machine has little effect. Variants are interleaved; the figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.broker.fleets import KINDS, Fleet, call
from benchmarks.machine import facts
from inkgate.service.worker import render
from inkgate.service.worker.stub import StubReader

RESULTS = Path(__file__).parent.parent / "results"
_NAMES = (f"bench-{number}" for number in itertools.count())


async def closed_loop(fleet: Fleet, images: int, in_flight: int, size: int) -> tuple[float, float]:
    """Wall-clock and CPU seconds of `images` one-image calls of `size` bytes, `in_flight` at a time."""
    image = b"x" * size
    remaining = iter(range(images))

    async def client() -> None:
        for _ in remaining:
            await fleet.broker.submit(call(next(_NAMES), [image]))

    begun, cpu = time.perf_counter(), fleet.cpu()
    await asyncio.gather(*(client() for _ in range(in_flight)))
    return time.perf_counter() - begun, fleet.cpu() - cpu


def stub_cpu(size: int) -> float:
    """CPU seconds of one image of `size` bytes in the stub engine, with the rendering of its answer."""
    reader, image, begun = StubReader(), b"x" * size, time.process_time()
    for _ in range(200):
        render.element(reader, "general", image, False, {})
    return (time.process_time() - begun) / 200


async def cpu_per_image() -> dict[str, dict[str, float]]:
    """CPU milliseconds per image of gateway, workers and server together, without the stub engine's own share."""
    found = {}
    for kind, size in itertools.product(KINDS, (10_000, 500_000)):
        async with KINDS[kind](2, 0.0) as fleet:
            await closed_loop(fleet, 100, 4, size)
            stub = stub_cpu(size)
            rounds = [((await closed_loop(fleet, 200, 4, size))[1] / 200 - stub) * 1000 for _ in range(5)]
        found[f"{kind}, {size // 1000} kB"] = {
            "median": round(statistics.median(rounds), 2),
            "lowest": round(min(rounds), 2),
            "highest": round(max(rounds), 2),
            "stub": round(stub * 1000, 2),
        }
    return found


async def throughput(rounds: int, stub_ms: float = 200.0, images: int = 60) -> dict[str, Any]:
    """Images per second of one and two workers, and the medians of the ratios within each round."""
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind, workers in itertools.product(KINDS, (1, 2)):
            async with KINDS[kind](workers, stub_ms) as fleet:
                count = images * workers // 2
                wall, _ = await closed_loop(fleet, count, workers * 3, 200_000)
                rates.setdefault(f"{kind} x{workers}", []).append(round(count / wall, 3))

    def ratio(name: str, other: str) -> float:
        return round(statistics.median(one / two for one, two in zip(rates[name], rates[other], strict=True)), 3)

    return {
        "stub_ms": stub_ms,
        "pictures_per_second": rates,
        "redis over in-process, 2 workers": ratio("streams x2", "local x2"),
        **{f"2 workers over 1, {kind}": ratio(f"{kind} x2", f"{kind} x1") for kind in KINDS},
    }


async def run() -> dict[str, Any]:
    return {"cpu_ms_per_picture": await cpu_per_image(), "throughput": await throughput(3)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Broker overhead.")
    parser.add_argument("--out", type=Path, default=RESULTS / "broker-overhead.json")
    args = parser.parse_args()
    figures = asyncio.run(run())
    args.out.write_text(json.dumps({"machine": facts("redis", "orjson"), "figures": figures}, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
