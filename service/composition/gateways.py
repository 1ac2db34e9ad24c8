"""`inkgate gateway`: gateways over Redis; one process, or several supervised processes that share a port."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.composition.gateway import gateway
from inkgate.service.composition.lifecycle import run_until_stopped, start_component, stop_event
from inkgate.service.composition.probes import readiness_check, serve_probes
from inkgate.service.composition.web import build_server, listen, serve
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import ConfigurationError
from inkgate.service.gateway.memory import freeze_startup_objects
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.merge import snapshot_from
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker.control import Event, Gone, MetricsReport
from inkgate.service.worker.supervisor import Supervisor

_BACKLOG = 1024  # connections waiting to be accepted
_DRAIN_MARGIN_SECONDS = 10  # added to the deadline of calls: time for a gateway process to exit


async def serve_gateway(
    settings: Settings, listener: socket.socket, on_ready: Callable[[str, Metrics, Background], None]
) -> None:
    """Answer calls on `listener` until a shutdown signal, then close it. `on_ready` is called with the base URL, the
    metrics and the background tasks once it listens. Raises ConfigurationError without a Redis URL."""
    metrics = Metrics(
        "gateway", __version__, capabilities=CAPABILITIES, inflight_limit_bytes=settings.limits.inflight_bytes
    )
    background = Background(metrics)
    async with AsyncExitStack() as stack:
        stack.enter_context(listener)
        broker = await start_component(stack, _streams_broker(settings, metrics, background))
        app, health = await stack.enter_async_context(gateway(settings, broker, metrics, background))
        server = build_server(settings, app, health)

        async def announce() -> None:
            await server.wait_listening()
            freeze_startup_objects()
            health.mark_started()
            on_ready(server.url, metrics, background)

        await serve(server, listener, announce)


def _streams_broker(settings: Settings, metrics: Metrics, background: Background) -> StreamsBroker:
    """The Redis broker of a gateway, not started. Raises ConfigurationError without a Redis URL."""
    if not settings.redis.url:
        raise ConfigurationError(
            "INKGATE_REDIS__URL",
            "is empty, and `inkgate gateway` queues in Redis",
            "Set it, or run everything in one process tree with `inkgate serve`.",
        )
    limits = settings.limits
    return StreamsBroker(
        settings.redis.url,
        Keys(settings.redis.namespace, settings.engine.profile),
        max_tasks=limits.inflight_tasks,
        max_bytes=limits.inflight_bytes,
        weights=limits.weights,
        on_malformed=metrics.malformed,
        background=background,
    )


async def supervise_gateways(settings: Settings, count: int, on_ready: Callable[[str, str], None]) -> None:
    """Supervise `count` gateway processes on one port until SIGTERM or SIGINT, then drain them.

    They accept from one socket: when one exits, another accepts its waiting connections. `on_ready` is called with the
    base URL and with the URL of the common health and metrics.
    """
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_event())
        listener = stack.enter_context(listen(settings.server.host, settings.server.port))
        listener.listen(_BACKLOG)
        host, port = listener.getsockname()[:2]
        metrics = Metrics("gateway", __version__, capabilities=CAPABILITIES)
        background = Background(metrics)
        supervisor = _supervisor(count, listener, metrics, background)
        health = Health(
            {"gateways": readiness_check(supervisor, "no gateway process is ready"), "tasks": background.check}
        )
        probes = serve_probes(stack, settings.server, health, metrics, background)
        stack.push_async_callback(supervisor.stop, settings.limits.deadline + _DRAIN_MARGIN_SECONDS)
        supervisor.start()
        stack.callback(listener.close)  # before the drain, so that the port is free while processes still run
        stack.callback(health.mark_draining)

        def ready() -> None:
            health.mark_started()
            on_ready(f"http://{host}:{port}", probes)

        await run_until_stopped(stop, supervisor.wait_ready(count), ready)


def _supervisor(count: int, listener: socket.socket, metrics: Metrics, background: Background) -> Supervisor:
    """The supervisor of gateway processes that accept from `listener`, not started. It merges their metrics into
    `metrics`."""

    def receive(slot: int, event: Event) -> None:
        match event:
            case MetricsReport():
                metrics.children.update(str(event.pid), snapshot_from(event.families))
            case Gone():
                metrics.children.remove_child(str(event.pid))

    return Supervisor(
        "inkgate.service.composition.gateway_process",
        count,
        {},
        shared=[listener],
        on_event=receive,
        on_malformed=metrics.malformed,
        name="gateway",
        background=background,
    )
