"""Rude clients against a real gateway, and what a well-behaved client sees beside them.

    python -m tests.hostile.rude [--rounds 3] [--seconds 5] [--only NAME] [--keep]

prints a Markdown table and ends with status 1 when a polite call failed or its p99 more than doubled. Rudeness is tried
here, not volume: attackers open at most RATE connections a second together (a flood is for the network's edge to stop).
Everything runs on loopback against a sandbox of its own whose engine is the stub and whose database lies in memory:
what is tried here is the gateway. The attackers run at the lowest priority, since they would not be on this machine.

The polite client calls one after the other, alone and beside the attack in turns. With `--keep` the table goes to
benchmarks/results/rude.json, of which tools/reference.py makes docs/reference/rude-clients.md.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import inkgate_client as ink
import psutil
from PIL import Image

from benchmarks.machine import facts
from benchmarks.sandbox import stub_service
from tests.hostile.attacks import ATTACKS, ENGINE_MS, MIB, PREPARED, RATE, Target

KEPT = Path(__file__).parents[2] / "benchmarks" / "results" / "rude.json"
TIMES = 2.0  # how much longer the polite client's p99 may be beside an attack


def attacker(name: str, port: int, keys: dict[str, str], seconds: float, back: Connection) -> None:
    os.nice(19)
    target = Target(port, keys["AK"], seconds, lambda: back.send("begun"), keys)
    if not name.endswith(PREPARED):
        target.begun()

    async def go() -> None:
        await asyncio.wait_for(ATTACKS[name](target), seconds + 60)

    asyncio.run(go())
    back.send(dict(target.tally))


class Polite:
    """Calls one after the other and keeps the times."""

    def __init__(self, keys: dict[str, str]) -> None:
        out = io.BytesIO()
        Image.new("L", (64, 64), 255).save(out, "PNG")
        self._picture = out.getvalue()
        http = httpx.Client(timeout=30, trust_env=False)
        self._client = ink.Client(
            keys["BASE_URL"], ak=keys["AK"], sk=keys["SK"], appkey=keys["APPKEY"], retry=ink.NEVER, http=http
        )

    def calls(self, seconds: float) -> tuple[list[float], int]:
        """Seconds each call took, and how many failed."""
        took, failed, until = [], 0, time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            try:
                self._client.general(self._picture)
            except ink.InkGateClientError as error:
                print(f"  the polite client saw {error!r}", file=sys.stderr)
                failed += 1
            took.append(time.perf_counter() - began)
        return took, failed


class Trial:
    """One attack, tried in rounds: what it was answered, what the polite client saw, what it cost the gateway."""

    def __init__(self, name: str) -> None:
        self.name, self.tally = name, Counter[str]()
        self.alone: list[float] = []
        self.beside: list[float] = []
        self.failed, self.cpu, self.seconds = 0, 0.0, 0.0

    def round(self, keys: dict[str, str], polite: Polite, server: psutil.Process, seconds: float) -> None:
        took, failed = polite.calls(seconds)
        self.alone += took
        here, there = multiprocessing.Pipe()
        port = int(keys["BASE_URL"].rsplit(":", 1)[1])
        process = multiprocessing.Process(target=attacker, args=(self.name, port, keys, seconds, there))
        process.start()
        here.recv()  # begun
        cpu = sum(server.cpu_times()[:2])
        took, more_failed = polite.calls(seconds)
        self.cpu += sum(server.cpu_times()[:2]) - cpu
        self.beside += took
        self.failed += failed + more_failed
        self.seconds += seconds
        self.tally.update(here.recv() if here.poll(90) else {"the attacker did not end": 1})
        process.join(10)
        process.kill()

    def row(self, rss: int) -> dict[str, Any]:
        alone, beside = _p99(self.alone), _p99(self.beside)
        return {
            "tried": self.name,
            "answered": dict(sorted(self.tally.items())),
            "calls": [len(self.alone), len(self.beside)],
            "p50_ms": [round(statistics.median(took) * 1e3, 1) for took in (self.alone, self.beside)],
            "p99_ms": [round(alone, 1), round(beside, 1)],
            "times": round(beside / alone, 2),
            "failed": self.failed,
            "cpu": round(self.cpu / self.seconds, 2),
            "rss_mib": rss // MIB,
        }


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[98] * 1e3


HEAD = (
    "| what was tried | what it was answered | calls | p50 ms alone → beside | p99 ms | × | failed | cores | MiB |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|"
)


def line(row: dict[str, Any]) -> str:
    """A row of the table, in Markdown."""
    said = ", ".join(f"{what}: {count:,}" for what, count in row["answered"].items())
    calls, p50, p99 = (" → ".join(f"{value:,}" for value in row[name]) for name in ("calls", "p50_ms", "p99_ms"))
    end = f"{row['times']} | {row['failed']} | {row['cpu']} | {row['rss_mib']}"
    return f"| {row['tried']} | {said} | {calls} | {p50} | {p99} | {end} |"


def run(
    keys: dict[str, str], server: psutil.Process, names: Sequence[str], options: argparse.Namespace
) -> list[dict[str, Any]]:
    polite, rows = Polite(keys), []
    polite.calls(1)
    for name in names:
        trial = Trial(name)
        for _ in range(options.rounds):
            trial.round(keys, polite, server, options.seconds)
        rows.append(trial.row(server.memory_info().rss))
        print(line(rows[-1]), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each half of a round")
    parser.add_argument("--only", default="", help="part of an attack's name")
    parser.add_argument("--keep", action="store_true", help=f"write {KEPT.name}")
    options = parser.parse_args()
    machine = facts("uvicorn", "httptools", "fastapi")
    rows, stands = [], True
    print(HEAD)
    for engine_ms in sorted({0.0, *ENGINE_MS.values()}):
        names = [name for name in ATTACKS if options.only in name and ENGINE_MS.get(name, 0.0) == engine_ms]
        if names:
            with stub_service(engine_ms) as (keys, server):
                rows += run(keys, server, names, options)
                stands = stands and server.is_running()
    if options.keep:
        document = {"rounds": options.rounds, "seconds": options.seconds, "rate": RATE, "machine": machine}
        document["rows"] = rows
        KEPT.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0 if stands and all(not row["failed"] and row["times"] <= TIMES for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
