"""Whole services compared with the bare engine: `python -m benchmarks.throughput --served --help`.

All systems run for the whole benchmark. In each round each system reads all images, the most expensive first; the order
of the systems rotates, so that other load on the machine affects all of them. InkGate is called as a client calls it:
signed requests of one image, metered in a real ledger. CPU seconds are those of all processes of a system, with
databases and queue; the callers' CPU is reported separately. Ratios are medians over rounds of the ratio in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import facts
from benchmarks.throughput.interleaved import image_files
from benchmarks.throughput.plot import bars
from benchmarks.throughput.targets import (
    BF16,
    Bare,
    Distributed,
    Embedded,
    PaddlexServe,
    RapidOcrApi,
    Target,
    cpu_seconds,
    tree,
)

RESULTS = Path(__file__).parent.parent / "results"
Round = dict[str, float]


async def measure(target: Target, images: Sequence[Path]) -> Round:
    """The figures of one round of one system."""
    before = {name: cpu_seconds(roots) for name, roots in target.parts.items()}
    own, begun = time.process_time(), time.perf_counter()
    lines = await target.read(images)
    wall = time.perf_counter() - begun
    spent = {name: (cpu_seconds(roots) - before[name]) / len(images) for name, roots in target.parts.items()}
    return {
        "pictures_per_second": len(images) / wall,
        "cpu_seconds_per_picture": sum(spent.values()),
        **{f"cpu_seconds_per_picture, {name}": seconds for name, seconds in spent.items()},
        "caller_cpu_seconds_per_picture": (time.process_time() - own) / len(images),
        "lines": float(lines),
    }


async def longest_first(target: Target, images: Sequence[Path]) -> list[Path]:
    """The images by decreasing read time, so that no long image is left for a single worker at the end."""
    cost = {}
    for image in images:
        begun = time.perf_counter()
        await target.read([image])
        cost[image] = time.perf_counter() - begun
    return sorted(images, key=lambda image: -cost[image])


async def run(targets: list[Target], images: Sequence[Path], rounds: int) -> dict[str, Any]:
    """Start and warm up all systems, run the rounds, and return the summary by system. Stops all systems."""
    results: dict[str, list[Round]] = {target.name: [] for target in targets}
    started: list[Target] = []
    try:
        for target in targets:
            started.append(target)
            await target.start()
        ordered = await longest_first(targets[0], images)
        for target in targets:
            await target.read(ordered[-2 * target.workers :])
        for number in range(rounds):
            first = number % len(targets)  # rotate the order
            for target in targets[first:] + targets[:first]:
                results[target.name].append(await measure(target, ordered))
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        return {target.name: await summary(target, results[target.name]) for target in targets}
    finally:
        for target in started:
            await target.stop()


async def summary(target: Target, rounds: list[Round]) -> dict[str, Any]:
    """Medians over rounds, final memory and stage times, and the rounds themselves."""
    row: dict[str, Any] = {name: median(figures[name] for figures in rounds) for name in rounds[0]}
    memory = {
        name: round(sum(process.memory_full_info().pss for process in tree(roots)) / 2**20)
        for name, roots in target.parts.items()
    }
    return {
        "workers": target.workers,
        **row,
        "pss_mib": sum(memory.values()),
        "pss_mib_by_part": memory,
        "stages_ms": await target.stages(),
        "rounds": rounds,
    }


def ratios(rows: dict[str, Any]) -> dict[str, float]:
    """Throughput and CPU ratios between systems: the median of the ratios of the rounds."""

    def ratio(name: str, other: str, key: str = "pictures_per_second") -> float:
        pairs = zip(rows[name]["rounds"], rows[other]["rounds"], strict=True)
        return round(median(one[key] / two[key] for one, two in pairs), 3)

    found = {}
    for name, row in rows.items():
        bare = f"bare engine x{row['workers']}"
        if name != bare and bare in rows:
            found[f"{name} / {bare}"] = ratio(name, bare)
            found[f"{name} / {bare}, CPU"] = ratio(name, bare, "cpu_seconds_per_picture")
        if name.endswith("x2") and (one := name.removesuffix("2") + "1") in rows:
            found[f"{name} / {one}"] = ratio(name, one)
    return found


def table(result: dict[str, Any]) -> str:
    """The result as plain text."""
    lines = [f"{'system':24}{'images/s':>11}{'CPU s/pic':>11}{'callers':>9}{'lines':>7}{'PSS MiB':>9}"]
    for name, row in result["targets"].items():
        lines.append(
            f"{name:24}{row['pictures_per_second']:11.3f}{row['cpu_seconds_per_picture']:11.3f}"
            f"{row['caller_cpu_seconds_per_picture']:9.4f}{row['lines']:7.0f}{row['pss_mib']:9}"
        )
    return "\n".join([*lines, "", *(f"{name:52}{value:7.3f}" for name, value in result["ratios"].items())])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput --served")
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=1, help="read every so-many-th image")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="sizes of the systems")
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--rapidocr-api", metavar="PYTHON", help="the Python of an environment with rapidocr_api")
    parser.add_argument("--paddlex", metavar="PYTHON", help="the same for paddlex[ocr-core,serving]")
    parser.add_argument("--paddleocr-models", metavar="DIR", help="holds v6_small_det and v6_small_rec")
    parser.add_argument("--out", type=Path, default=RESULTS / "served.json", help="JSON; the plot goes beside it")
    return parser.parse_args()


def chosen_targets(args: argparse.Namespace) -> list[Target]:
    """The systems chosen by the arguments. The bare engine is first because it determines the order of the images."""
    chosen: list[Target] = []
    for workers in args.workers:
        chosen += [kind(args.profile, workers) for kind in (Bare, Embedded, Distributed)]
    if args.rapidocr_api:
        chosen.append(RapidOcrApi(args.rapidocr_api, 2))
    if args.paddlex:
        chosen.append(PaddlexServe(args.paddlex, args.paddleocr_models))
    return chosen


def main() -> None:
    args = arguments()
    images = image_files(args.images)[:: args.every]
    rows = asyncio.run(run(chosen_targets(args), images, args.rounds))
    result = {
        "machine": facts("onnxruntime", "numpy", "fastapi", "uvicorn", "redis", "asyncpg"),
        "conditions": {
            "profile": args.profile,
            "bf16": BF16,
            "pictures": len(images),
            "rounds": args.rounds,
            "callers": "two a worker",
            "picture_bytes": sum(file.stat().st_size for file in images),
        },
        "ratios": ratios(rows),
        "targets": rows,
    }
    print(table(result))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    costs = {name: row["cpu_seconds_per_picture"] for name, row in rows.items()}
    args.out.with_suffix(".svg").write_text(bars(costs, "CPU seconds per image, all processes"), encoding="utf-8")
