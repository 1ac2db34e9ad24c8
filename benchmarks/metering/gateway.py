"""The ledger load of one gateway, as a separate process.

python -m benchmarks.metering.gateway URL METHOD ACCOUNT APP RATE SECONDS CLIENTS

METHOD is `ledger` or `naive`. RATE 0 is a closed loop of CLIENTS callers; otherwise RATE calls per second start on a
fixed schedule (an open loop), and latency is measured from the scheduled start. Prints one JSON object: calls, seconds,
CPU seconds, and every latency in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from benchmarks.metering.naive import NaiveLedger
from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.db import engine as engines
from inkgate.service.db import ids
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.settings import Database

Settle = Callable[[], Awaitable[object]]


async def closed_loop(settle: Settle, clients: int, seconds: float) -> list[float]:
    """Latencies in seconds of `clients` callers, each of which waits for its answer before the next call."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (begun := time.perf_counter()) < end:
            await settle()
            latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(caller() for _ in range(clients)))
    return latencies


async def open_loop(settle: Settle, rate: float, seconds: float) -> list[float]:
    """Latencies in seconds of calls on a fixed schedule, measured from the scheduled start of each call."""
    latencies: list[float] = []
    running: set[asyncio.Task[None]] = set()
    start = time.perf_counter()

    async def call(due: float) -> None:
        await settle()
        latencies.append(time.perf_counter() - due)

    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.ensure_future(call(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return latencies


def one_call(ledger: SqlLedger | NaiveLedger, account: str, app: str) -> Settle:
    """Settles one call of one image on each call of the result."""

    async def settle() -> object:
        call_id = ids.new()
        return await ledger.settle(
            Settlement(call_id, account, app, "general", 1, 1, 0, 0, 100_000, 50, "192.0.2.1", call_id)
        )

    return settle


async def main(url: str, method: str, account: str, app: str, rate: float, seconds: float, clients: int) -> None:
    engine = engines.create(Database(url=url))
    ledger = SqlLedger(engine) if method == "ledger" else await NaiveLedger.connect(url, clients)
    settle = one_call(ledger, account, app)
    await settle()  # warm-up: connections and prepared statements
    cpu, begun = time.process_time(), time.perf_counter()
    if rate:
        latencies = await open_loop(settle, rate, seconds)
    else:
        latencies = await closed_loop(settle, clients, seconds)
    result = {"calls": len(latencies), "seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    await ledger.close()
    await engine.dispose()
    json.dump(result | {"latencies_ms": [round(latency * 1000, 3) for latency in latencies]}, sys.stdout)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(main(*arguments[:4], float(arguments[4]), float(arguments[5]), int(arguments[6])))
