"""Up to 200 workers and 20 gateways over one Redis: how much of the server a picture takes, and where it is full.

    python -m benchmarks.broker.simulation [--service 1.0] [--size 200000]

Gateways and workers are the real ones as far as Redis can see: 20 StreamsBrokers on one event loop, and StreamsPorts on
threads, each with its heartbeat. Only the engine is missing: a worker sleeps as long as the engine takes. The clients
keep 1.2 pictures per worker in work. The server is one thread, so its CPU per picture tells the rate at which it is
full, also where this machine could not drive it that far.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import redis

from benchmarks.broker.fleets import call
from service.broker.interface import Outcome, Reply
from service.broker.streams import StreamsBroker, StreamsPort
from service.broker.streams.keys import Keys
from tests.valkey import Valkey

KEYS = Keys("simulation", "balanced")
_GATEWAYS = 20
_PER_PROCESS = 50
_FULL = 0.8  # share of one core at which a single-threaded server still answers promptly
_ELEMENT = {"text_line": 20, "detail": [{"name": str(n), "text": "字" * 12, "box": [1.5] * 8} for n in range(20)]}


def work(url: str, count: int, service: float) -> None:
    """One process of `count` simulated workers, until its standard input ends."""
    stop = threading.Event()

    def one(number: int) -> None:
        port = StreamsPort(url, KEYS, f"{id(stop)}-{number}")
        while not stop.is_set():
            task = port.pull(0.4)
            if task is not None:
                time.sleep(service)
                port.reply(task, Reply(task.call_id, task.number, Outcome.READ, _ELEMENT, "", {"infer": service}))
        port.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


async def step(url: str, workers: int, service: float, size: int, seconds: float) -> dict[str, Any]:
    """One row of the table."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.broker.simulation", "--work", url, str(count), str(service)],
            stdin=subprocess.PIPE,
        )
        for count in _split(workers)
    ]
    brokers = [StreamsBroker(url, KEYS, max_tasks=10_000, max_bytes=1 << 34) for _ in range(_GATEWAYS)]
    for broker in brokers:
        await broker.start()
    server = redis.Redis.from_url(url)
    while (await brokers[0].state()).workers < workers:
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)
    idle = await _cpu_share(server, 3)
    stop = time.perf_counter() + seconds
    waits: list[float] = []
    names = (f"{workers}-{number}" for number in itertools.count())

    async def client(broker: StreamsBroker) -> None:
        while time.perf_counter() < stop:
            begun = time.perf_counter()
            await broker.submit(call(next(names), [bytes(size)]))
            waits.append(time.perf_counter() - begun)

    cpu, begun = _cpu(server), time.perf_counter()
    crowd = int(workers * 1.2)
    await asyncio.gather(*(client(brokers[number % _GATEWAYS]) for number in range(crowd)))
    took, used = time.perf_counter() - begun, _cpu(server) - cpu
    for broker in brokers:
        await broker.close()
    for process in processes:
        process.communicate()
    return {
        "workers": workers, "rate": len(waits) / took, "ideal": workers / service, "share": used / took, "idle": idle,
        "per_picture": used / len(waits), "p50": statistics.median(waits), "p99": sorted(waits)[int(len(waits) * 0.99)],
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", type=float, default=1.0, help="seconds the engine takes")
    parser.add_argument("--size", type=int, default=200_000, help="bytes of a picture")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 50, 100, 200])
    given = parser.parse_args()
    server = Valkey()
    server.start()
    columns = (
        "workers", "pictures/s", "of the ideal", "Redis idle", "Redis busy", "CPU per picture", "full at", "p50", "p99"
    )
    print("| " + " | ".join(columns) + " |\n" + "|-" * len(columns) + "|")
    try:
        for workers in given.workers:
            row = await step(server.url, workers, given.service, given.size, given.seconds)
            print(
                f"| {workers} | {row['rate']:.1f} | {row['rate'] / row['ideal']:.1%} | {row['idle']:.1%} | "
                f"{row['share']:.1%} | {row['per_picture'] * 1e6:.0f} µs | {_FULL / row['per_picture']:.0f}/s | "
                f"{row['p50']:.2f} s | {row['p99']:.2f} s |", flush=True,
            )
    finally:
        server.close()


def _split(workers: int) -> list[int]:
    return [min(_PER_PROCESS, workers - begun) for begun in range(0, workers, _PER_PROCESS)]


def _cpu(server: redis.Redis) -> float:
    facts: Any = server.info("cpu")
    return float(facts["used_cpu_user"] + facts["used_cpu_sys"])


async def _cpu_share(server: redis.Redis, seconds: float) -> float:
    before = _cpu(server)
    await asyncio.sleep(seconds)
    return (_cpu(server) - before) / seconds


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    else:
        asyncio.run(main())
