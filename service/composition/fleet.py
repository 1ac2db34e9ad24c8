"""The embedded workers: processes on this host, with the broker in this process."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from inkgate.service.background import Background
from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.local import LocalBroker
from inkgate.service.broker.worker_registry import WorkerRegistryState
from inkgate.service.composition.lifecycle import start_component
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker import policy
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.control import Event
from inkgate.service.worker.cores import open_shared_cells
from inkgate.service.worker.observe import WorkerEventMetrics
from inkgate.service.worker.supervisor import Supervisor
from inkgate.service.worker.supervisor_registry import SupervisorRegistry


class EmbeddedBroker(LocalBroker):
    """A LocalBroker with the supervisor and the registry of its worker processes."""

    supervisor: Supervisor
    registry: SupervisorRegistry

    async def snapshot(self) -> WorkerRegistryState:
        """See inkgate.service.broker.worker_registry.WorkerRegistry."""
        return WorkerRegistryState(await self.state(), self.registry.records())

    async def wait_ready(self, count: int = 1) -> None:
        """Wait until `count` workers are ready. Raises errors.Misuse with the error of the engine if none can start."""
        await self.supervisor.wait_ready(count)


@asynccontextmanager
async def embedded_fleet(
    settings: Settings, metrics: Metrics | None = None, background: Background | None = None
) -> AsyncIterator[EmbeddedBroker]:
    """Start the workers that settings and hardware determine (`worker.policy`), and yield the broker before they are
    ready.

    `metrics` belong to this process and record the events of the workers. On exit the workers are drained: each
    finishes its current images.
    """
    concurrency = policy.concurrency(settings)
    malformed = metrics.malformed if metrics else _ignore
    broker = _broker(settings, policy.process_count(settings) * concurrency, malformed)

    def sockets(slot: int) -> list[socket.socket]:
        """One broker connection per image that the worker reads at once; returns the child ends."""
        pairs = [socket.socketpair() for _ in range(concurrency)]
        for parent_end, _ in pairs:
            broker.attach(parent_end)
        return [child_end for _, child_end in pairs]

    metrics_sink = WorkerEventMetrics(metrics) if metrics else None

    def receive(slot: int, event: Event) -> None:
        broker.registry(slot, event)
        if metrics_sink:
            metrics_sink(slot, event)

    async with AsyncExitStack() as stack:
        cores_fd = open_shared_cells()
        stack.callback(os.close, cores_fd)
        broker.registry = SupervisorRegistry(policy.process_count(settings), settings.engine.profile)
        broker.supervisor = Supervisor(
            "inkgate.service.worker",
            policy.process_count(settings),
            WorkerConfig.of(settings, cores_fd).as_dict(),
            on_spawn=sockets,
            on_event=receive,
            on_malformed=malformed,
            extra_env=native_threads(settings),
            background=background,
            inherited=[cores_fd],
        )
        await start_component(stack, broker)
        stack.push_async_callback(broker.supervisor.stop, settings.worker.grace)
        broker.supervisor.start()
        yield broker


def _broker(settings: Settings, expected: int, malformed: Callable[[str], None]) -> EmbeddedBroker:
    limits = settings.limits
    return EmbeddedBroker(
        max_tasks=limits.inflight_tasks,
        max_bytes=limits.inflight_bytes,
        expected=expected,
        weights=limits.weights,
        rule=HoldOffRule(limits.killed_workers, limits.killed_window, limits.hold_off),
        overrun=settings.worker.overrun,
        on_malformed=malformed,
    )


def _ignore(kind: str) -> None:
    """Used without metrics: malformed messages are not counted."""


def native_threads(settings: Settings) -> dict[str, str]:
    """Environment variables that limit the native libraries of a worker to engine.threads threads."""
    threads = str(settings.engine.threads)
    return {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
