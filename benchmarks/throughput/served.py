"""Whole services beside the bare engine: `python -m benchmarks.throughput --served --help`.

All contenders are up for the whole run. In each round each of them reads all pictures, the longest first, and they take
turns, so that what else the machine does falls on all of them. Our service is called as a customer calls it: signed
requests of one picture, metered in a real ledger. CPU seconds are those of a contender's processes, databases and
queue included; the callers' own are given beside them. Ratios are medians over rounds of the ratio within a round.
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
from benchmarks.throughput.contenders import (
    Bare,
    Contender,
    Distributed,
    Embedded,
    PaddlexServe,
    RapidOcrApi,
    cpu_seconds,
    tree,
)
from benchmarks.throughput.plot import bars

RESULTS = Path(__file__).parent.parent / "results"
Round = dict[str, float]


async def measure(contender: Contender, pictures: Sequence[Path]) -> Round:
    """One turn of one contender."""
    cpu, own, begun = cpu_seconds(contender.pids), time.process_time(), time.perf_counter()
    lines = await contender.read(pictures)
    wall = time.perf_counter() - begun
    return {
        "pictures_per_second": len(pictures) / wall,
        "cpu_seconds_per_picture": (cpu_seconds(contender.pids) - cpu) / len(pictures),
        "caller_cpu_seconds_per_picture": (time.process_time() - own) / len(pictures),
        "lines": float(lines),
    }


async def longest_first(contender: Contender, pictures: Sequence[Path]) -> list[Path]:
    """The pictures in the order of what they cost, so that no worker is left alone with a long one at the end."""
    cost = {}
    for picture in pictures:
        begun = time.perf_counter()
        await contender.read([picture])
        cost[picture] = time.perf_counter() - begun
    return sorted(pictures, key=lambda picture: -cost[picture])


async def run(contenders: list[Contender], pictures: Sequence[Path], rounds: int) -> dict[str, Any]:
    """Start all, warm all, take turns; what each one did."""
    results: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    started: list[Contender] = []
    try:
        for contender in contenders:
            started.append(contender)
            await contender.start()
        ordered = await longest_first(contenders[0], pictures)
        for contender in contenders:
            await contender.read(ordered[-2 * contender.workers :])
        for number in range(rounds):
            turn = number % len(contenders)
            for contender in contenders[turn:] + contenders[:turn]:
                results[contender.name].append(await measure(contender, ordered))
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        return {contender.name: await summary(contender, results[contender.name]) for contender in contenders}
    finally:
        for contender in started:
            await contender.stop()


async def summary(contender: Contender, rounds: list[Round]) -> dict[str, Any]:
    """Medians over rounds, memory and stages at the end, and the rounds themselves."""
    row: dict[str, Any] = {name: median(one[name] for one in rounds) for name in rounds[0]}
    memory = sum(process.memory_full_info().pss for process in tree(contender.pids)) / 2**20
    return {
        "workers": contender.workers,
        **row,
        "pss_mib": round(memory),
        "stages_ms": await contender.stages(),
        "rounds": rounds,
    }


def ratios(rows: dict[str, Any]) -> dict[str, float]:
    """Pictures per second of one contender over another's: median of the rounds' ratios."""

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
    lines = [f"{'contender':24}{'pictures/s':>11}{'CPU s/pic':>11}{'callers':>9}{'lines':>7}{'PSS MiB':>9}"]
    for name, row in result["contenders"].items():
        lines.append(
            f"{name:24}{row['pictures_per_second']:11.3f}{row['cpu_seconds_per_picture']:11.3f}"
            f"{row['caller_cpu_seconds_per_picture']:9.4f}{row['lines']:7.0f}{row['pss_mib']:9}"
        )
    return "\n".join([*lines, "", *(f"{name:52}{value:7.3f}" for name, value in result["ratios"].items())])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput --served")
    parser.add_argument("pictures", type=Path, nargs="+", help="picture files, or folders of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--rapidocr-api", metavar="PYTHON", help="the Python of an environment with rapidocr_api")
    parser.add_argument("--paddlex", metavar="PYTHON", help="the same for paddlex[ocr-core,serving]")
    parser.add_argument("--paddleocr-models", metavar="DIR", help="holds v6_small_det and v6_small_rec")
    parser.add_argument("--out", type=Path, default=RESULTS / "served.json", help="JSON; the plot goes beside it")
    return parser.parse_args()


def contenders(args: argparse.Namespace) -> list[Contender]:
    """The bare engine first: by it the pictures are put in order."""
    chosen: list[Contender] = []
    for workers in (1, 2):
        chosen += [kind(args.profile, workers) for kind in (Bare, Embedded, Distributed)]
    if args.rapidocr_api:
        chosen.append(RapidOcrApi(args.rapidocr_api, 2))
    if args.paddlex:
        chosen.append(PaddlexServe(args.paddlex, args.paddleocr_models))
    return chosen


def main() -> None:
    args = arguments()
    pictures = sorted(file for path in args.pictures for file in (path.iterdir() if path.is_dir() else [path]))
    rows = asyncio.run(run(contenders(args), pictures, args.rounds))
    result = {
        "machine": facts("onnxruntime", "numpy", "fastapi", "uvicorn", "redis", "asyncpg"),
        "conditions": {
            "profile": args.profile,
            "pictures": len(pictures),
            "rounds": args.rounds,
            "callers": "two a worker",
            "picture_bytes": sum(file.stat().st_size for file in pictures),
        },
        "ratios": ratios(rows),
        "contenders": rows,
    }
    print(table(result))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    speeds = {name: row["pictures_per_second"] for name, row in rows.items()}
    args.out.with_suffix(".svg").write_text(bars(speeds), encoding="utf-8")
