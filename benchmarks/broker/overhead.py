"""What a broker costs: CPU per picture, throughput of one and two workers, and Redis against the process tree.

    python -m benchmarks.broker.overhead

The stub engine takes a fixed time and almost no CPU, so that the broker is what is measured and a busy machine does
little harm. Variants are interleaved; the figures are medians over rounds.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time

from benchmarks.broker.fleets import KINDS, Fleet, call
from service.worker import render
from service.worker.stub import StubReader

_NAMES = (f"bench-{number}" for number in itertools.count())


async def closed_loop(fleet: Fleet, images: int, in_flight: int, size: int) -> tuple[float, float]:
    """Seconds of wall clock and of CPU that `images` one-picture calls took, so many in flight."""
    image = b"x" * size
    left = iter(range(images))

    async def client() -> None:
        for _ in left:
            await fleet.broker.submit(call(next(_NAMES), [image]))

    begun, cpu = time.perf_counter(), fleet.cpu()
    await asyncio.gather(*(client() for _ in range(in_flight)))
    return time.perf_counter() - begun, fleet.cpu() - cpu


def stub_cpu(size: int) -> float:
    """Seconds of CPU in which the stub reads one picture and its answer is rendered."""
    reader, image, begun = StubReader(), b"x" * size, time.process_time()
    for _ in range(200):
        render.element(reader, "general", image, False, {})
    return (time.process_time() - begun) / 200


async def cpu_per_picture() -> None:
    print("CPU per picture: gateway, workers and server together, less what the stub itself takes")
    for kind, size in itertools.product(KINDS, (10_000, 500_000)):
        async with KINDS[kind](2, 0.0) as fleet:
            await closed_loop(fleet, 100, 4, size)
            stub = stub_cpu(size)
            rounds = [((await closed_loop(fleet, 200, 4, size))[1] / 200 - stub) * 1000 for _ in range(5)]
        low, middle, high = min(rounds), statistics.median(rounds), max(rounds)
        print(f"  {kind:8} {size // 1000:4} kB: {middle:.2f} ms ({low:.2f}-{high:.2f}); stub {stub * 1000:.2f} ms")


async def throughput(stub_ms: float = 200.0, images: int = 60) -> None:
    print(f"pictures per second with a stub of {stub_ms:g} ms")
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(3):
        for kind, workers in itertools.product(KINDS, (1, 2)):
            async with KINDS[kind](workers, stub_ms) as fleet:
                count = images * workers // 2
                wall, _ = await closed_loop(fleet, count, workers * 3, 200_000)
                rates.setdefault((kind, workers), []).append(count / wall)
    middle = {key: statistics.median(values) for key, values in rates.items()}
    for (kind, workers), rate in middle.items():
        print(f"  {kind:8} {workers} workers: {rate:.2f}/s {[round(value, 2) for value in rates[kind, workers]]}")
    print(f"  Redis / in-process, 2 workers: {middle['streams', 2] / middle['local', 2]:.1%}")
    for kind in KINDS:
        print(f"  {kind}: 2 workers / 1 worker = {middle[kind, 2] / middle[kind, 1]:.2f} x")


async def main() -> None:
    await cpu_per_picture()
    await throughput()


if __name__ == "__main__":
    asyncio.run(main())
