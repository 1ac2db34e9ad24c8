"""The embedded and the streams broker with stub workers, and the CPU time that all their processes use."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from inkgate.service.broker.interface import Broker, Task
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.composition.fleet import embedded_fleet
from inkgate.service.settings import Engine, Settings, Worker
from tests.crash.processes import WorkerHost
from tests.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Fleet:
    """A broker with workers. `cpu()` is CPU seconds of this process, the workers and the Redis server."""

    broker: Broker
    cpu: Callable[[], float]


@asynccontextmanager
async def local(workers: int, stub_ms: float) -> AsyncIterator[Fleet]:
    """The embedded broker."""
    settings = Settings(engine=Engine(runtime="stub", stub_ms=stub_ms), worker=Worker(processes=workers))
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(workers)
        pids = [os.getpid(), *broker.supervisor.pids]
        yield Fleet(broker, lambda: cpu_seconds(pids))


@asynccontextmanager
async def streams(workers: int, stub_ms: float) -> AsyncIterator[Fleet]:
    """The Redis Streams broker on a separate Valkey, with one worker host."""
    server = Valkey()
    server.start()
    host = WorkerHost(server.url, "bench", workers, ENGINE__STUB_MS=stub_ms, TELEMETRY__LOG_LEVEL="error")
    broker = StreamsBroker(server.url, Keys("bench", "balanced"), max_tasks=1000, max_bytes=1 << 30)
    try:
        await host.ready(workers)
        await broker.start()
        assert server.process is not None
        pids = [os.getpid(), *host.children, server.process.pid]
        yield Fleet(broker, lambda: cpu_seconds(pids))
    finally:
        await broker.close()
        host.end()
        server.close()


KINDS = {"local": local, "streams": streams}


def call(name: str, images: Sequence[bytes], seconds: float = 60.0) -> list[Task]:
    return [Task(name, number, "general", time.time() + seconds, image) for number, image in enumerate(images)]


def cpu_seconds(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(cpu.user + cpu.system for cpu in times)
