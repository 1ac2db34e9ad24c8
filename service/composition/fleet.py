"""The embedded fleet: worker processes of this machine behind a broker in this process."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from inkgate.service.background import Background
from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.local import LocalBroker
from inkgate.service.broker.worker_registry import WorkerRegistryState
from inkgate.service.composition.lifecycle import started
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker import policy
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.control import Event
from inkgate.service.worker.observe import FleetMetrics
from inkgate.service.worker.roster import Roster
from inkgate.service.worker.supervisor import Supervisor


class EmbeddedBroker(LocalBroker):
    """A LocalBroker that knows the worker processes behind it."""

    supervisor: Supervisor
    roster: Roster

    async def snapshot(self) -> WorkerRegistryState:
        """See inkgate.service.broker.worker_registry.WorkerRegistry."""
        return WorkerRegistryState(await self.state(), self.roster.cards())

    @property
    def ready_workers(self) -> int:
        """Workers that are warmed up."""
        return self.supervisor.ready

    async def wait_ready(self, count: int = 1) -> None:
        """Wait for `count` warmed-up workers. Raises errors.Misuse with the engine's own words if none can start."""
        await self.supervisor.wait_ready(count)


@asynccontextmanager
async def embedded_fleet(
    settings: Settings, metrics: Metrics | None = None, background: Background | None = None
) -> AsyncIterator[EmbeddedBroker]:
    """Start the workers that the settings and the machine ask for, and yield the broker before they are warm.

    `metrics` are those of this process; they count what the workers do.
    Leaving the context drains the workers: each may finish the image it has in hand.
    """
    at_once = policy.at_once(settings)
    malformed = metrics.malformed if metrics else _uncounted
    broker = _broker(settings, policy.processes(settings) * at_once, malformed)

    def sockets(slot: int) -> list[socket.socket]:
        """A connection to the broker for each image that the worker may have in hand."""
        pairs = [socket.socketpair() for _ in range(at_once)]
        for ours, _ in pairs:
            broker.attach(ours)
        return [theirs for _, theirs in pairs]

    counted = FleetMetrics(metrics) if metrics else None

    def receive(slot: int, event: Event) -> None:
        broker.roster(slot, event)
        if counted:
            counted(slot, event)

    broker.roster = Roster(policy.processes(settings), settings.engine.profile)
    broker.supervisor = Supervisor(
        "inkgate.service.worker",
        policy.processes(settings),
        WorkerConfig.of(settings).as_dict(),
        on_spawn=sockets,
        on_event=receive,
        on_malformed=malformed,
        extra_env=native_threads(settings),
        background=background,
    )
    async with AsyncExitStack() as stack:
        await started(stack, broker)
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


def _uncounted(kind: str) -> None:
    """Without metrics nothing is counted."""


def native_threads(settings: Settings) -> dict[str, str]:
    """The environment that keeps native libraries of a worker to engine.threads threads."""
    threads = str(settings.engine.threads)
    return {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
