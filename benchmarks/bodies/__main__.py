"""Request bodies of many shapes: `python -m benchmarks.bodies [--mib 95] [--only NAME] [--speed]`.

Sends the bodies one by one to a gateway with the stub engine and an in-memory database, and records the peak memory of
the gateway process and the slowest answer of /livez. Exit status 1 when memory exceeds 3 bodies plus 170 MiB or /livez
exceeds 200 ms. `--speed` also compares, in this process, the gateway's parser with plain orjson on ordinary bodies of
one image.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.bodies.run import MAX_LIVEZ_MS, MIB, Gateway, plan
from benchmarks.bodies.speed import compare_parsers
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
            done = gateway.measure(shape, form, mib * MIB, capability)
            mark = "" if done.within_bound and done.livez_ms <= MAX_LIVEZ_MS else " **"
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
    parser.add_argument("--speed", action="store_true", help="also compare the parsers on ordinary bodies")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": facts("orjson", "uvicorn", "fastapi", "cryptography")}
    document["bodies"] = run(options.mib, options.only)
    if options.speed:
        document["milliseconds"] = compare_parsers()
    if options.json:
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    exceeded = [
        row for row in document["bodies"] if row["peak_mib"] > row["bound_mib"] or row["livez_ms"] > MAX_LIVEZ_MS
    ]
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
