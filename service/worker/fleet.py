"""The embedded fleet: worker processes of this machine behind a broker in this process."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.broker.local import LocalBroker
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.worker.config import WorkerConfig
from service.worker.observe import FleetMetrics
from service.worker.process import usable_cores
from service.worker.supervisor import Supervisor


class EmbeddedBroker(LocalBroker):
    """A LocalBroker that knows the worker processes behind it."""

    supervisor: Supervisor

    @property
    def ready_workers(self) -> int:
        """Workers that are warmed up."""
        return self.supervisor.ready

    async def wait_ready(self, count: int = 1) -> None:
        """Wait for `count` warmed-up workers. Raises errors.Misuse with the engine's own words if none can start."""
        await self.supervisor.wait_ready(count)


@asynccontextmanager
async def embedded_fleet(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[EmbeddedBroker]:
    """Start settings.worker.processes workers (0: one per usable core) and yield the broker before they are warm.

    `metrics` are those of this process; they count what the workers do.
    Leaving the context drains the workers: each may finish the image it has in hand.
    """
    count = settings.worker.processes or usable_cores()
    limits = settings.limits
    broker = EmbeddedBroker(max_tasks=limits.inflight_tasks, max_bytes=limits.inflight_bytes, expected=count)

    def sockets(slot: int) -> list[socket.socket]:
        ours, theirs = socket.socketpair()
        broker.attach(ours)
        return [theirs]

    broker.supervisor = Supervisor(
        "service.worker",
        count,
        WorkerConfig.of(settings).as_dict(),
        on_spawn=sockets,
        on_event=FleetMetrics(metrics) if metrics else lambda slot, event: None,
        extra_env=native_threads(settings),
    )
    await broker.start()
    broker.supervisor.start()
    try:
        yield broker
    finally:
        await broker.supervisor.stop(settings.worker.grace)
        await broker.close()


def native_threads(settings: Settings) -> dict[str, str]:
    """The environment that keeps native libraries of a worker to engine.threads threads."""
    threads = str(settings.engine.threads)
    return {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
