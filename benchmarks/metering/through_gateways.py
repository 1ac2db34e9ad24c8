"""Ledger latency as callers see it: signed requests over HTTP to real gateways, Postgres and Valkey, a stub engine.

`python -m benchmarks.metering.through_gateways --help`. Calls start on a fixed schedule (an open loop); latency is
measured from the scheduled start. The settlement time (the wait for the batch and the commit) comes from the gateways'
histograms, so its resolution is that of the buckets.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from benchmarks.calls import body, request, samples
from benchmarks.machine import facts
from inkgate.service.provision import Keys
from tests.crash.chaos.stack import Stack

RESULTS = Path(__file__).parent.parent / "results"


def small_image() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(out, "PNG")
    return out.getvalue()


async def load(stack: Stack, keys: Keys, rate: float, seconds: float) -> dict[str, Any]:
    """Send `rate` calls per second on a fixed schedule, to the gateways round robin."""
    raw, latencies, codes = body(small_image()), list[float](), Counter[str]()
    bases = [f"http://127.0.0.1:{gateway.port}" for gateway in stack.gateways]
    async with httpx.AsyncClient(timeout=30.0, limits=httpx.Limits(max_connections=256)) as client:

        async def call(base: str, due: float) -> None:
            try:
                answer = await client.send(request(base, keys, raw))
                codes[str(answer.json()["statusCode"])] += 1
            except httpx.HTTPError as error:
                codes[type(error).__name__] += 1
            latencies.append(time.perf_counter() - due)

        async with asyncio.TaskGroup() as group:
            start = time.perf_counter()
            for number in range(int(rate * seconds)):
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(call(bases[number % len(bases)], due))
        elapsed = time.perf_counter() - start
        settle = await settle_quantiles(client, bases)
    latencies.sort()
    calls = len(latencies)
    return {
        "calls": calls,
        "status_codes": dict(codes),
        "calls_per_second": round(codes["0"] / elapsed, 1),
        "answer_p50_ms": round(latencies[calls // 2] * 1000, 1),
        "answer_p99_ms": round(latencies[calls * 99 // 100] * 1000, 1),
        "settle_p50_ms_at_most": settle(0.5),
        "settle_p99_ms_at_most": settle(0.99),
    }


async def settle_quantiles(client: httpx.AsyncClient, bases: list[str]) -> Any:
    """A function from a quantile (0 to 1) to the upper bound, in milliseconds, of its histogram bucket."""
    buckets = Counter[float]()
    for base in bases:
        for labels, value in await samples(client, base, "_bucket"):
            if labels["stage"] == "settle":
                buckets[float(labels["le"])] += int(value)

    def bound(share: float) -> float:
        wanted = buckets[float("inf")] * share
        return next(le for le in sorted(buckets) if buckets[le] >= wanted) * 1000

    return bound


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    stack = Stack(gateways=args.gateways, hosts=args.workers, stub_ms=0)
    try:
        keys = await stack.start()
        await load(stack, keys, min(args.rate, 20.0), 2.0)  # warm-up: connections, caches
        figures = await load(stack, keys, args.rate, args.seconds)
        if findings := await stack.findings():
            raise SystemExit(f"the ledger is inconsistent; no figures are reported: {findings[:3]}")
        return figures
    finally:
        await stack.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Ledger latency through real gateways.")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=150.0, help="calls per second, all gateways together")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "metering-through-gateways.json")
    args = parser.parse_args()
    figures = asyncio.run(measure(args))
    conditions = {name: getattr(args, name) for name in ("gateways", "workers", "rate", "seconds")}
    machine = facts("sqlalchemy", "asyncpg", "fastapi", "uvicorn", "redis")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions, "figures": figures}, indent=1) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
