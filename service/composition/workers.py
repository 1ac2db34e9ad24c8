"""`inkgate worker`: supervised worker processes over Redis, with a port for health and metrics."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack

from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.broker.streams.client import TRANSIENT_ERRORS, async_client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.worker_registry import WorkerRegistryPublisher
from inkgate.service.composition.fleet import native_threads
from inkgate.service.composition.lifecycle import run_until_stopped, stop_event
from inkgate.service.composition.probes import readiness_check, serve_probes
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import BrokerUnavailable, ConfigurationError
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Check, Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker import policy
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.control import Event
from inkgate.service.worker.cores import open_shared_cells
from inkgate.service.worker.observe import WorkerEventMetrics
from inkgate.service.worker.supervisor import Supervisor
from inkgate.service.worker.supervisor_registry import SupervisorRegistry

log = logging.getLogger(__name__)


async def serve_workers(settings: Settings, on_ready: Callable[[str], None] = lambda url: None) -> None:
    """Supervise settings.worker.processes workers until SIGTERM or SIGINT, then drain them.

    `on_ready` is called with the URL of health and metrics once the first worker is ready. Raises ConfigurationError
    without a Redis URL, Misuse with the error of the engine when no worker can start.
    """
    if not settings.redis.url:
        raise ConfigurationError(
            "INKGATE_REDIS__URL",
            "is empty, and `inkgate worker` pulls from Redis",
            "Set it, or run everything in one process tree with `inkgate serve`.",
        )
    metrics = Metrics("worker", __version__, capabilities=CAPABILITIES)
    background = Background(metrics)
    registry = SupervisorRegistry(policy.process_count(settings), settings.engine.profile)
    async with AsyncExitStack() as stack:
        cores_fd = open_shared_cells()
        stack.callback(os.close, cores_fd)
        supervisor = _supervisor(settings, registry, metrics, background, cores_fd)
        health = Health(
            {
                "redis": _redis_check(settings.redis.url),
                "workers": readiness_check(supervisor, "no worker is warm"),
                "tasks": background.check,
            }
        )
        stop = stack.enter_context(stop_event())
        url = serve_probes(stack, settings.worker, health, metrics, background)
        keys = Keys(settings.redis.namespace, settings.engine.profile)
        publisher = WorkerRegistryPublisher(settings.redis.url, keys, registry.records, background)
        stack.push_async_callback(publisher.close)
        publisher.start()
        stack.push_async_callback(supervisor.stop, settings.worker.grace)
        supervisor.start()
        stack.callback(health.mark_draining)

        def ready() -> None:
            health.mark_started()
            on_ready(url)

        await run_until_stopped(stop, supervisor.wait_ready(), ready)
        log.info("draining")


def _supervisor(
    settings: Settings, registry: SupervisorRegistry, metrics: Metrics, background: Background, cores_fd: int
) -> Supervisor:
    """The supervisor of the workers, not started; `registry` and `metrics` receive their events."""
    metrics_sink = WorkerEventMetrics(metrics)

    def receive(slot: int, event: Event) -> None:
        registry(slot, event)
        metrics_sink(slot, event)

    return Supervisor(
        "inkgate.service.worker",
        policy.process_count(settings),
        WorkerConfig.of(settings, cores_fd).as_dict(),
        on_event=receive,
        on_malformed=metrics.malformed,
        extra_env=native_threads(settings),
        essential=True,
        background=background,
        inherited=[cores_fd],
    )


def _redis_check(url: str) -> Check:
    async def check() -> None:
        redis = async_client(url, 1)  # each probe runs on a new event loop, so the client cannot be reused
        try:
            await redis.ping()
        except TRANSIENT_ERRORS as error:
            raise BrokerUnavailable("redis does not answer") from error
        finally:
            await redis.aclose()

    return check
