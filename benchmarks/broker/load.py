"""How a fleet behaves at 70 % and at 300 % of its capacity, and under batches bigger than its byte budget.

    python -m benchmarks.broker.load

Open loop: calls come by a Poisson clock, whatever became of those before.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from dataclasses import dataclass, field

from benchmarks.broker.fleets import KINDS, Fleet, call
from service.errors import DeadlineMissed, Overloaded

_NAMES = (f"load-{number}" for number in itertools.count())


@dataclass(slots=True)
class Outcome:
    """Latencies of answered calls in seconds, what was refused and what timed out, and seconds to the last answer."""

    answered: list[float] = field(default_factory=list)
    refused: int = 0
    late: int = 0
    took: float = 0.0

    @property
    def goodput(self) -> float:
        return len(self.answered) / self.took


async def open_loop(fleet: Fleet, rate: float, seconds: float, deadline: float) -> Outcome:
    """Send at `rate` for `seconds`, and wait for what was admitted."""
    dice = random.Random(1)
    seen = Outcome()
    start = time.perf_counter()

    async def client() -> None:
        begun = time.perf_counter()
        try:
            await fleet.broker.submit(call(next(_NAMES), [b"x" * 200_000], deadline))
            seen.answered.append(time.perf_counter() - begun)
            seen.took = time.perf_counter() - start
        except Overloaded:
            seen.refused += 1
        except DeadlineMissed:
            seen.late += 1

    async with asyncio.TaskGroup() as group:
        begun = due = time.perf_counter()
        while due < begun + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(client())
            due += dice.expovariate(rate)
    return seen


async def loads(kind: str, workers: int, stub_ms: float, deadline: float) -> None:
    capacity = workers / (stub_ms / 1000)
    async with KINDS[kind](workers, stub_ms) as fleet:
        alone = statistics.median((await open_loop(fleet, capacity / 20, 10, deadline)).answered)
        busy = await open_loop(fleet, 0.7 * capacity, 20, deadline)
        p99 = sorted(busy.answered)[int(0.99 * len(busy.answered))]
        print(f"{kind}, {workers} workers, {stub_ms:g} ms, deadline {deadline:g} s, capacity {capacity:.0f}/s")
        print(f"  unloaded median {alone * 1000:.0f} ms; at 70 %: p99 {p99 * 1000:.0f} ms = {p99 / alone:.2f} x; "
              f"{len(busy.answered)} answered, {busy.refused} refused, {busy.late} timed out")
        peak = await open_loop(fleet, capacity, 15, deadline)
        over = await open_loop(fleet, 3 * capacity, 15, deadline)
        offered = over.refused + over.late + len(over.answered)
        print(f"  goodput at 100 %: {peak.goodput:.1f}/s; at 300 %: {over.goodput:.1f}/s = "
              f"{over.goodput / max(peak.goodput, over.goodput):.1%} of the peak; "
              f"{over.refused} refused at once, {over.late} timed out of {offered}")


async def big_batches(kind: str) -> None:
    """50 pictures of 10 MB in one call, alone and then 20 such clients against a budget for one."""
    image = bytes(10_000_000)
    async with KINDS[kind](2, 0.0, max_bytes=600_000_000) as fleet:
        before = fleet.memory()
        begun = time.perf_counter()
        highest: dict[str, float] = {}

        async def watch() -> None:
            while True:
                for name, mib in fleet.memory().items():
                    highest[name] = max(highest.get(name, 0.0), mib)
                await asyncio.sleep(0.05)

        async def client() -> str:
            try:
                await fleet.broker.submit(call(next(_NAMES), [image] * 50))
            except Overloaded:
                return "refused"
            return "answered"

        watching = asyncio.create_task(watch())
        await client()
        one = time.perf_counter() - begun
        results = await asyncio.gather(*(client() for _ in range(20)))
        watching.cancel()
        print(f"{kind}: 50 x 10 MB in {one:.1f} s; 20 such clients: {results.count('answered')} answered, "
              f"{results.count('refused')} refused, {fleet.restarts()} restarts")
        print("  MiB resident, before and highest: "
              + ", ".join(f"{name} {before[name]:.0f} → {highest[name]:.0f}" for name in before))


async def main() -> None:
    for kind in KINDS:
        await loads(kind, workers=8, stub_ms=200, deadline=3)
        await big_batches(kind)


if __name__ == "__main__":
    asyncio.run(main())
