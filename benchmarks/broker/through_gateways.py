"""Latency and goodput of a fleet at 70 % and at 300 % of its capacity, as callers see them.

    python -m benchmarks.broker.through_gateways

Signed one-image calls over HTTP to real gateways, workers, Postgres and Valkey. The stub engine sleeps as long as an
image takes, which allows more workers than cores. Calls arrive as a Poisson process (an open loop); the latency of a
call is measured from its scheduled start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.calls import body, request
from benchmarks.machine import facts
from inkgate.service.provision import Keys
from tests.crash.chaos.stack import Stack
from tests.images import padded_png

RESULTS = Path(__file__).parent.parent / "results"
_IMAGE_BYTES = 200_000
_GATEWAYS = 2


@dataclass(slots=True)
class Outcome:
    """Latencies of answered and refused calls, all status codes, and the time to the last answer. Times in seconds."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    without_retry_after: int = 0
    took: float = 0.0

    @property
    def goodput(self) -> float:
        return len(self.answered) / self.took

    def summary(self, rate: float) -> dict[str, Any]:
        return {
            "offered_per_second": round(rate, 2),
            "calls": sum(self.codes.values()),
            "status_codes": dict(self.codes),
            "refused_without_retry_after": self.without_retry_after,
            "goodput_per_second": round(self.goodput, 2),
            "p50_ms": _percentile(self.answered, 0.5),
            "p99_ms": _percentile(self.answered, 0.99),
            "refusal_p50_ms": _percentile(self.refused, 0.5),
        }


class Load:
    """Sends calls to the gateways of a stack, round robin."""

    def __init__(self, stack: Stack, keys: Keys, client: httpx.AsyncClient) -> None:
        self._bases = [f"http://127.0.0.1:{gateway.port}" for gateway in stack.gateways]
        self._keys, self._client = keys, client
        self._raw = body(padded_png(_IMAGE_BYTES))

    async def at(self, rate: float, seconds: float) -> Outcome:
        """Send `rate` calls per second for `seconds` and wait for all answers."""
        arrivals, outcome = random.Random(1), Outcome()
        start = time.perf_counter()

        async def call(number: int, due: float) -> None:
            base = self._bases[number % len(self._bases)]
            try:
                answer = await self._client.send(request(base, self._keys, self._raw))
                code = str(answer.json()["statusCode"])
            except httpx.HTTPError as error:
                code = type(error).__name__
            outcome.codes[code] += 1
            now = time.perf_counter()
            if code == "0":
                outcome.answered.append(now - due)
                outcome.took = now - start
            elif code == "50300":
                outcome.refused.append(now - due)
                outcome.without_retry_after += "retry-after" not in answer.headers

        async with asyncio.TaskGroup() as group:
            due, number = start, 0
            while due < start + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(call(number, due))
                due, number = due + arrivals.expovariate(rate), number + 1
        return outcome


async def measure(workers: int, args: argparse.Namespace, *, over: bool) -> dict[str, Any]:
    """The result without load, at 70 % of capacity, and with `over` also at 100 % and 300 %."""
    capacity = workers / (args.stub_ms / 1000)
    stack = Stack(gateways=_GATEWAYS, hosts=1, processes=workers, stub_ms=args.stub_ms, LIMITS__DEADLINE=args.deadline)
    limits = httpx.Limits(max_connections=2000, max_keepalive_connections=200)
    try:
        keys = await stack.start()
        async with httpx.AsyncClient(timeout=args.deadline + 20, limits=limits) as client:
            load = Load(stack, keys, client)
            await load.at(capacity / 4, 4)  # warm-up: connections, caches, service time estimate
            # So few calls that they do not overlap: the latency without queueing.
            quiet = (await load.at(capacity / 20, args.seconds / 2)).summary(capacity / 20)
            found = {"capacity_per_second": capacity, "unloaded": quiet}
            busy = found["at_70"] = (await load.at(0.7 * capacity, args.seconds)).summary(0.7 * capacity)
            found["p99_at_70_over_unloaded_median"] = round(busy["p99_ms"] / quiet["p50_ms"], 2)
            if over:
                full = found["at_100"] = (await load.at(capacity, args.seconds / 2)).summary(capacity)
                flood = found["at_300"] = (await load.at(3 * capacity, args.seconds / 2)).summary(3 * capacity)
                peak = max(full["goodput_per_second"], flood["goodput_per_second"])
                found["goodput_at_300_over_peak"] = round(flood["goodput_per_second"] / peak, 3)
        if findings := await stack.findings():
            raise SystemExit(f"the ledger is inconsistent; no figures are reported: {findings[:3]}")
        return found
    finally:
        await stack.close()


def _percentile(values: list[float], share: float) -> float | None:
    """A percentile of `values` (seconds) in milliseconds; None with fewer than two values."""
    if len(values) < 2:
        return None
    return round(statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1] * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency and goodput of a fleet under load.")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--fewer", type=int, nargs="*", default=[2], help="worker counts measured at 70 % only")
    parser.add_argument("--stub-ms", type=float, default=500.0, help="engine milliseconds per image")
    parser.add_argument("--deadline", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the run at 70 %; the others take half")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale-out-load.json")
    args = parser.parse_args()
    found = {}
    for workers in [*args.fewer, args.workers]:
        found[f"{workers} workers"] = asyncio.run(measure(workers, args, over=workers == args.workers))
    conditions = {
        "gateways": _GATEWAYS,
        "picture_bytes": _IMAGE_BYTES,
        **{name: getattr(args, name) for name in ("stub_ms", "deadline", "seconds")},
    }
    machine = facts("redis", "fastapi", "uvicorn", "asyncpg")
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions, "fleets": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
