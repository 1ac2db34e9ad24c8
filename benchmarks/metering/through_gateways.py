"""Ledger latency as callers see it: signed requests over HTTP to real gateways, Postgres and Valkey, a stub engine.

`python -m benchmarks.metering.through_gateways --help`. Calls start on a fixed schedule (an open loop); latency is
measured from the scheduled start. The settlement time (the wait for the batch and the commit) comes from the gateways'
histograms, so its resolution is that of the buckets.

A machine that cannot hold the rate falls further behind with every call, and latencies then measure the length of the
run. Such a run is stopped once BACKLOG_SECONDS of calls are unanswered, its latencies are not reported, and the rate is
halved until one is held: the result says which rates were not.
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

BACKLOG_SECONDS = 2.0  # of unanswered calls at the rate, after which a run counts as not held
MIN_RATE = 5.0  # calls per second; below it nothing is measured

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

        before = await settle_buckets(client, bases)
        async with asyncio.TaskGroup() as group:
            start, backlog = time.perf_counter(), 0
            for number in range(int(rate * seconds)):
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                backlog = int((time.perf_counter() - start) * rate) - len(latencies)
                if backlog > BACKLOG_SECONDS * rate:
                    break
                group.create_task(call(bases[number % len(bases)], due))
        elapsed = time.perf_counter() - start
        settled = await settle_buckets(client, bases)
    held = backlog <= BACKLOG_SECONDS * rate
    answered = round(codes["0"] / elapsed, 1)
    if not held:
        return {"held": False, "rate": rate, "status_codes": dict(codes), "calls_per_second": answered}
    latencies.sort()
    calls = len(latencies)
    return {
        "held": True,
        "rate": rate,
        "calls": calls,
        "status_codes": dict(codes),
        "calls_per_second": answered,
        "answer_p50_ms": round(latencies[calls // 2] * 1000, 1),
        "answer_p99_ms": round(latencies[calls * 99 // 100] * 1000, 1),
        "settle_p50_ms_at_most": bucket_bound_ms(before, settled, 0.5),
        "settle_p99_ms_at_most": bucket_bound_ms(before, settled, 0.99),
    }


async def load_held(stack: Stack, keys: Keys, rate: float, seconds: float) -> dict[str, Any]:
    """The figures at `rate`, or at the first of its halves that the machine holds; `not_held` are the runs that it did
    not. Raises SystemExit when it holds none."""
    failed: list[dict[str, Any]] = []
    while rate >= MIN_RATE:
        figures = await load(stack, keys, rate, seconds)
        if figures["held"]:
            return figures | {"not_held": failed}
        failed.append(figures)
        print(f"the machine did not hold {rate:g} calls/s: it answered {figures['calls_per_second']:g}", flush=True)
        rate /= 2
    raise SystemExit(f"the machine held no rate down to {MIN_RATE:g} calls/s; no figures are reported")


async def settle_buckets(client: httpx.AsyncClient, bases: list[str]) -> Counter[float]:
    """The settlements so far by the upper bound of their histogram bucket, in seconds; cumulative."""
    buckets = Counter[float]()
    for base in bases:
        for labels, value in await samples(client, base, "_bucket"):
            if labels["stage"] == "settle":
                buckets[float(labels["le"])] += int(value)
    return buckets


def bucket_bound_ms(before: Counter[float], after: Counter[float], share: float) -> float:
    """The upper bound of the bucket that has the quantile `share` (0 to 1) of the settlements in between."""
    wanted = (after[float("inf")] - before[float("inf")]) * share
    return next(le for le in sorted(after) if after[le] - before[le] >= wanted) * 1000


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    stack = Stack(gateways=args.gateways, hosts=args.workers, stub_ms=0)
    try:
        keys = await stack.start()
        await load(stack, keys, min(args.rate, 20.0), 2.0)  # warm-up: connections, caches
        figures = await load_held(stack, keys, args.rate, args.seconds)
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
