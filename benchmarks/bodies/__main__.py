"""What bodies of every shape cost: `python -m benchmarks.bodies [--mib 95] [--only NAME] [--speed]`.

Sends one body after the other to a gateway of its own, whose engine is the stub and whose database lies in memory, and
notes the highest memory of the gateway's process and the longest answer of /livez meanwhile. Ends with status 1 where
memory passed 3 bodies and 150 MiB, or /livez 200 ms. `--speed` then reads ordinary bodies of one image in this process,
as the gateway does and with everything built by orjson, in turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.bodies.speed import compared
from benchmarks.bodies.trial import LIVEZ_MS, MIB, Gateway, plan
from benchmarks.machine import facts
from benchmarks.sandbox import stub_service

RESULTS = Path(__file__).parent.parent / "results"
HEAD = "| body | to | MiB | code | s | gateway MiB | bound | /livez ms |\n|---|---|---:|---:|---:|---:|---:|---:|"


def run(mib: int, only: str) -> list[dict[str, Any]]:
    rows = []
    print(HEAD)
    with stub_service() as (keys, server):
        gateway = Gateway(keys, server.pid)
        for shape, form, capability in plan():
            if only not in shape:
                continue
            done = gateway.trial(shape, form, mib * MIB, capability)
            mark = "" if done.within and done.livez_ms <= LIVEZ_MS else " **"
            print(
                f"| {shape} ({form}) | {done.capability} | {done.body_mib} | {done.code} | {done.seconds} | "
                f"{done.peak_mib} | {done.bound_mib} | {done.livez_ms}{mark} |",
                flush=True,
            )
            rows.append(done.row())
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bodies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=95, help="size of each body (95)")
    parser.add_argument("--only", default="", help="part of a shape's name")
    parser.add_argument("--speed", action="store_true", help="compare the speed of ordinary bodies as well")
    parser.add_argument("--json", type=Path, help="where to keep the figures, such as benchmarks/results/bodies.json")
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": facts("orjson", "uvicorn", "fastapi", "cryptography")}
    document["bodies"] = run(options.mib, options.only)
    if options.speed:
        document["milliseconds"] = compared()
    if options.json:
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    bad = [row for row in document["bodies"] if row["peak_mib"] > row["bound_mib"] or row["livez_ms"] > LIVEZ_MS]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
