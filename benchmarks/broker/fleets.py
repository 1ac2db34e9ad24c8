"""The two brokers with stub workers behind them, and the CPU that everything together has used."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from service.broker.interface import Broker, Task
from service.broker.streams import StreamsBroker
from service.broker.streams.keys import Keys
from service.settings import Engine, Settings, Worker
from service.worker.fleet import embedded_fleet
from tests.crash.processes import WorkerHost
from tests.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Fleet:
    """`cpu()` is seconds of CPU of this process, the workers and the server; `memory()` MiB resident, by part."""

    broker: Broker
    cpu: Callable[[], float]
    memory: Callable[[], dict[str, float]]
    restarts: Callable[[], int]


@asynccontextmanager
async def local(workers: int, stub_ms: float, max_bytes: int = 1 << 30) -> AsyncIterator[Fleet]:
    """The embedded broker."""
    settings = Settings(engine=Engine(runtime="stub", stub_ms=stub_ms), worker=Worker(processes=workers))
    settings = settings.model_copy(update={"limits": settings.limits.model_copy(update={"inflight_bytes": max_bytes})})
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(workers)
        parts = {"gateway": [os.getpid()], "workers": broker.supervisor.pids}
        yield Fleet(broker, lambda: _cpu(parts), lambda: _memory(parts), lambda: broker.supervisor.restarts)


@asynccontextmanager
async def streams(workers: int, stub_ms: float, max_bytes: int = 1 << 30) -> AsyncIterator[Fleet]:
    """Redis Streams on a Valkey of its own, one worker host."""
    server = Valkey()
    server.start()
    host = WorkerHost(server.url, "bench", workers, ENGINE__STUB_MS=stub_ms, TELEMETRY__LOG_LEVEL="error")
    broker = StreamsBroker(server.url, Keys("bench", "balanced"), max_tasks=1000, max_bytes=max_bytes)
    try:
        await host.ready(workers)
        await broker.start()
        pids = host.children
        assert server.process is not None
        parts = {"gateway": [os.getpid()], "workers": pids, "server": [server.process.pid]}
        yield Fleet(broker, lambda: _cpu(parts), lambda: _memory(parts), lambda: len(set(host.children) - set(pids)))
    finally:
        await broker.close()
        host.end()
        server.close()


KINDS = {"local": local, "streams": streams}


def call(name: str, images: Sequence[bytes], seconds: float = 60.0) -> list[Task]:
    return [Task(name, number, "general", time.time() + seconds, image) for number, image in enumerate(images)]


def _cpu(parts: dict[str, list[int]]) -> float:
    times = [psutil.Process(pid).cpu_times() for pids in parts.values() for pid in pids]
    return sum(each.user + each.system for each in times)


def _memory(parts: dict[str, list[int]]) -> dict[str, float]:
    return {
        name: max(psutil.Process(pid).memory_info().rss for pid in pids) / 2**20 for name, pids in parts.items()
    }
