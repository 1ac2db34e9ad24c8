"""Hostile clients against a real gateway, and their effect on a well-behaved client.

    python -m tests.hostile.hostile_clients [--rounds 3] [--seconds 5] [--only NAME] [--keep]

Prints a Markdown table. Exit status 1 when a call of the well-behaved client fails or its p99 more than doubles. This
tests misbehaviour, not volume: the attackers open at most RATE connections per second in total (floods must be stopped
at the edge of the network). Everything runs on loopback against a sandbox with the stub engine and an in-memory
database, so that the gateway is tested. The attackers run at the lowest priority, because in production they would not
share the machine.

The well-behaved client calls sequentially, alternately alone and during the attack. With `--keep` the table is written
to benchmarks/results/hostile-clients.json, from which tools/reference.py generates docs/reference/hostile-clients.md.
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

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "hostile-clients.json"
MAX_SLOWDOWN = 2.0  # of the well-behaved client's p99 during an attack


def attacker(name: str, port: int, keys: dict[str, str], seconds: float, back: Connection) -> None:
    os.nice(19)
    target = Target(port, keys["AK"], seconds, lambda: back.send("begun"), keys)
    if not name.endswith(PREPARED):
        target.begun()

    async def go() -> None:
        await asyncio.wait_for(ATTACKS[name](target), seconds + 60)

    asyncio.run(go())
    back.send(dict(target.tally))


class WellBehavedClient:
    """Calls sequentially and records the latencies."""

    def __init__(self, keys: dict[str, str]) -> None:
        out = io.BytesIO()
        Image.new("L", (64, 64), 255).save(out, "PNG")
        self._image = out.getvalue()
        http = httpx.Client(timeout=30, trust_env=False)
        self._client = ink.Client(
            keys["BASE_URL"], ak=keys["AK"], sk=keys["SK"], appkey=keys["APPKEY"], retry=ink.NEVER, http=http
        )

    def calls(self, seconds: float) -> tuple[list[float], int]:
        """The latencies of the calls in seconds, and the number of failed calls."""
        took, failed, deadline = [], 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            began = time.perf_counter()
            try:
                self._client.general(self._image)
            except ink.InkGateClientError as error:
                print(f"  the well-behaved client got {error!r}", file=sys.stderr)
                failed += 1
            took.append(time.perf_counter() - began)
        return took, failed


class Trial:
    """One attack: the answers to the attackers, the latencies of the well-behaved client, the gateway's CPU time."""

    def __init__(self, name: str) -> None:
        self.name, self.tally = name, Counter[str]()
        self.alone: list[float] = []
        self.beside: list[float] = []
        self.failed, self.cpu, self.seconds = 0, 0.0, 0.0

    def round(self, keys: dict[str, str], client: WellBehavedClient, server: psutil.Process, seconds: float) -> None:
        took, failed = client.calls(seconds)
        self.alone += took
        here, there = multiprocessing.Pipe()
        port = int(keys["BASE_URL"].rsplit(":", 1)[1])
        process = multiprocessing.Process(target=attacker, args=(self.name, port, keys, seconds, there))
        process.start()
        here.recv()  # begun
        cpu = sum(server.cpu_times()[:2])
        took, more_failed = client.calls(seconds)
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
    client, rows = WellBehavedClient(keys), []
    client.calls(1)
    for name in names:
        trial = Trial(name)
        for _ in range(options.rounds):
            trial.round(keys, client, server, options.seconds)
        rows.append(trial.row(server.memory_info().rss))
        print(line(rows[-1]), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each half of a round")
    parser.add_argument("--only", default="", help="part of an attack's name")
    parser.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
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
        RESULTS.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0 if stands and all(not row["failed"] and row["times"] <= MAX_SLOWDOWN for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
