"""Up to 200 workers and 20 gateways on one Redis: Redis CPU time per image, and the load at which Redis saturates.

    python -m benchmarks.broker.simulation [--workers 10 50 200] [--service 1.0 0.5] [--share 0.2]

For Redis, gateways and workers are real: 20 StreamsBrokers on one event loop, and StreamsPorts on threads, each with
its heartbeat. Only the engine is replaced by a sleep of the same duration. There are as many clients as workers, so the
duration of a call is that of the engine plus the overhead of gateway, Redis and worker.

Python on a second core cannot saturate the core of the Redis server. `--share` limits the server to a part of a core (a
control group, which needs root). The knee is the row in which the server uses its whole share, throughput no longer
follows the load and the overhead grows. On a whole core the knee is at 1 / share of that rate.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from benchmarks.broker.fleets import call
from benchmarks.machine import facts
from inkgate.service.broker.interface import Outcome, Reply
from inkgate.service.broker.streams import StreamsBroker, StreamsPort
from inkgate.service.broker.streams.keys import Keys
from tests.valkey import Valkey

RESULTS = Path(__file__).parent.parent / "results"
KEYS = Keys("simulation", "balanced")
_GATEWAYS = 20
_PER_PROCESS = 50
_PERIOD_US = 10_000
_ELEMENT = {"text_line": 20, "detail": [{"name": str(n), "text": "字" * 12, "box": [1.5] * 8} for n in range(20)]}


@contextmanager
def cpu_limit(pid: int, share: float) -> Iterator[None]:
    """Limits a process to `share` of one core, by a control group of version 1 or 2."""
    if share >= 1:
        yield
        return
    root = Path("/sys/fs/cgroup")
    version_1 = (root / "cpu").is_dir()
    group = (root / "cpu" if version_1 else root) / f"inkgate-simulation-{pid}"
    group.mkdir()
    quota = str(round(share * _PERIOD_US))
    if version_1:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(quota)
    else:
        (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
    try:
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def work(url: str, count: int, service: float) -> None:
    """Run `count` simulated workers in this process until standard input is closed."""
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
    """One row of the result: `workers` workers that take `service` seconds per image of `size` bytes."""
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
    await asyncio.gather(*(client(brokers[number % _GATEWAYS]) for number in range(workers)))
    took, used = time.perf_counter() - begun, _cpu(server) - cpu
    for broker in brokers:
        await broker.close()
    for process in processes:
        process.communicate()
    overhead = [1000 * (wait - service) for wait in waits]
    return {
        "workers": workers,
        "service_seconds": service,
        "pictures_per_second": round(len(waits) / took, 1),
        "of_the_ideal": round(len(waits) / took / (workers / service), 3),
        "server_idle": round(idle, 3),
        "server_busy": round(used / took, 3),
        "server_us_per_picture": round(used / len(waits) * 1e6),
        "overhead_p50_ms": round(statistics.median(overhead)),
        "overhead_p99_ms": round(sorted(overhead)[int(len(overhead) * 0.99)]),
    }


async def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    server, rows = Valkey(), []
    server.start()
    assert server.process is not None
    try:
        with cpu_limit(server.process.pid, args.share):
            for workers, service in itertools.product(args.workers, args.service):
                rows.append(await step(server.url, workers, service, args.size, args.seconds))
                print(json.dumps(rows[-1]), flush=True)
    finally:
        server.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Many workers and gateways on one Redis.")
    parser.add_argument("--service", type=float, nargs="+", default=[1.0], help="seconds the engine takes")
    parser.add_argument("--size", type=int, default=200_000, help="bytes of an image")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 50, 100, 200])
    parser.add_argument("--share", type=float, default=1.0, help="part of one core that the server may use")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale-out-simulation.json")
    args = parser.parse_args()
    rows = asyncio.run(run(args))
    conditions = {
        "gateways": _GATEWAYS,
        "picture_bytes": args.size,
        "seconds": args.seconds,
        "share_of_a_core": args.share,
    }
    result = {"machine": facts("redis"), "conditions": conditions, "rows": rows}
    args.out.write_text(json.dumps(result, indent=1) + "\n")


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
        main()
