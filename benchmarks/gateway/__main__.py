"""The gateway's CPU time per call: one gateway, a stub worker, Valkey and Postgres, N calls in flight.

`python -m benchmarks.gateway --help`. With `--against TREE`, the working tree of another commit, a gateway of each tree
runs over the same Postgres, Valkey and worker, and rounds of load alternate between the two: CPU time and its ratio are
meaningful on a machine that does other work, elapsed time is not.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from benchmarks.calls import body
from benchmarks.gateway.client import closed_loop
from benchmarks.gateway.processes import REPOSITORY, TreeGateway, cpu_seconds
from benchmarks.machine import facts
from inkgate.service.provision import Keys
from tests.crash.chaos.stack import Stack

RESULTS = Path(__file__).parent.parent / "results"
_WARM_UP_SECONDS = 3.0
_PIXELS = 64


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPU time of a gateway per call.")
    parser.add_argument("--in-flight", type=int, default=32, help="calls in flight")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each gateway")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--against", type=Path, help="working tree of another commit, measured in alternate rounds")
    parser.add_argument("--profile", type=Path, help="sample the stacks of this tree's gateway into this file")
    parser.add_argument("--out", type=Path, default=RESULTS / "gateway.json")
    return parser.parse_args()


def small_body() -> bytes:
    """The body of a call with one white image of 64 x 64 pixels."""
    out = io.BytesIO()
    Image.new("RGB", (_PIXELS, _PIXELS), "white").save(out, "PNG")
    return body(out.getvalue())


async def measure_round(stack: Stack, gateway: TreeGateway, keys: Keys, args: argparse.Namespace) -> dict[str, float]:
    """One round of load on one gateway. Raises SystemExit when a call failed: its CPU time would mean nothing."""
    before = cpu_seconds(stack, gateway)
    load = await closed_loop(gateway.port, keys, small_body(), args.in_flight, args.seconds)
    after = cpu_seconds(stack, gateway)
    calls = len(load.seconds)
    if load.codes != {"0": calls}:
        raise SystemExit(f"some calls failed, no figures are reported: {dict(load.codes)}")
    figures = {f"{part}_cpu_ms": round((after[part] - before[part]) / calls * 1000, 3) for part in after}
    return figures | {"calls": calls, "calls_per_second": round(calls / args.seconds, 1)}


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The rounds of every gateway by the commit of its tree."""
    stack = Stack(gateways=0, hosts=1, processes=args.workers, stub_ms=0)
    trees = [REPOSITORY, *([args.against.resolve()] if args.against else [])]
    gateways = [
        TreeGateway(stack.settings, tree, None if number else args.profile) for number, tree in enumerate(trees)
    ]
    stack.gateways += gateways
    rounds: list[list[dict[str, float]]] = [[] for _ in trees]
    try:
        keys = await stack.start()
        for gateway in gateways:
            await closed_loop(gateway.port, keys, small_body(), args.in_flight, _WARM_UP_SECONDS)
        if args.profile:
            gateways[0].signal(signal.SIGUSR1)
        for number in range(args.rounds):
            for index in range(len(trees)) if number % 2 == 0 else reversed(range(len(trees))):
                rounds[index].append(await measure_round(stack, gateways[index], keys, args))
                print(json.dumps({"tree": index, **rounds[index][-1]}), flush=True)
        if findings := await stack.findings():
            raise SystemExit(f"the ledger is inconsistent; no figures are reported: {findings[:3]}")
        if args.profile:
            gateways[0].signal(signal.SIGTERM)
            await asyncio.to_thread(_wait, gateways[0])
    finally:
        await stack.close()
    return {_commit(tree): summary(each) for tree, each in zip(trees, rounds, strict=True)}


def _wait(gateway: TreeGateway) -> None:
    gateway._wanted = False
    if gateway.process is not None:
        gateway.process.wait(60)


def _commit(tree: Path) -> str:
    """The commit of a working tree, with "+" when files of the product differ from it."""
    name = subprocess.check_output(["git", "-C", tree, "rev-parse", "--short=10", "HEAD"], text=True).strip()
    changed = subprocess.check_output(["git", "-C", tree, "status", "--porcelain", "service"], text=True).strip()
    return name + "+" if changed else name


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """The medians over the rounds, and the rounds themselves."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]} | {"rounds": rounds}


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="inkgate-bench-"):
        trees = asyncio.run(measure(args))
    result: dict[str, Any] = {
        "machine": facts("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "redis", "sqlalchemy", "asyncpg"),
        "conditions": {name: getattr(args, name) for name in ("in_flight", "seconds", "rounds", "workers")},
        "trees": trees,
    }
    if args.against:
        new, old = trees.values()
        pairs = [
            mine["gateway_cpu_ms"] / its["gateway_cpu_ms"]
            for mine, its in zip(new["rounds"], old["rounds"], strict=True)
        ]
        result["gateway_cpu_ratio"] = {"median": round(median(pairs), 3), "pairs": [round(pair, 3) for pair in pairs]}
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: {k: v for k, v in tree.items() if k != "rounds"} for name, tree in trees.items()}))
    print(json.dumps(result.get("gateway_cpu_ratio", {})))


if __name__ == "__main__":
    main()
