"""Gateways over Redis: one process, or several that share a port under a supervisor.

`python -m inkgate.service.serving PARENT_PID CONTROL_FD LISTEN_FD` is one of several; the supervisor starts it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from inkgate.service import __version__
from inkgate.service import settings as knobs
from inkgate.service.assembly import GatewayServer, gateway, listen, server_for
from inkgate.service.background import Background, BackgroundTask
from inkgate.service.broker import frames
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.errors import BrokerUnavailable, ConfigurationError, InkGateError
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs
from inkgate.service.telemetry.health import Check, Health
from inkgate.service.telemetry.merge import snapshot_from
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer
from inkgate.service.worker.process import bind_to_parent
from inkgate.service.worker.supervisor import Event, Supervisor

log = logging.getLogger(__name__)

_SNAPSHOT_EVERY = 5.0


@asynccontextmanager
async def streams_broker(settings: Settings, metrics: Metrics, background: Background) -> AsyncIterator[StreamsBroker]:
    """The gateway's end of the queue in Redis. Raises ConfigurationError without a Redis URL."""
    if not settings.redis.url:
        raise ConfigurationError(
            "INKGATE_REDIS__URL",
            "is empty, and `inkgate gateway` queues in Redis",
            "Set it, or run everything in one process tree with `inkgate serve`.",
        )
    limits = settings.limits
    broker = StreamsBroker(
        settings.redis.url,
        Keys(settings.redis.namespace, settings.engine.profile),
        max_tasks=limits.inflight_tasks,
        max_bytes=limits.inflight_bytes,
        weights=limits.weights,
        on_malformed=metrics.malformed,
        background=background,
    )
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()


async def serve_gateway(
    settings: Settings, listener: socket.socket, on_ready: Callable[[str, Metrics, Background], None]
) -> None:
    """Answer calls on `listener` until told to stop. `on_ready` gets the base URL, the metrics and the background tasks
    once it listens."""
    metrics = Metrics("gateway", __version__, inflight_limit_bytes=settings.limits.inflight_bytes)
    background = Background(metrics)
    async with (
        streams_broker(settings, metrics, background) as broker,
        gateway(settings, broker, metrics, background) as (app, health),
    ):
        server = server_for(settings, app, health)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        announcing = asyncio.create_task(_announce(server, health, lambda url: on_ready(url, metrics, background)))
        try:
            await serving
        finally:
            announcing.cancel()


async def _announce(server: GatewayServer, health: Health, on_ready: Callable[[str], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    health.started()
    host, port = server.address
    on_ready(f"http://{host}:{port}")


async def supervise_gateways(settings: Settings, count: int, on_ready: Callable[[str, str], None]) -> None:
    """Keep `count` gateway processes on one port until SIGTERM or Ctrl-C, then drain them.

    They accept from one socket, so what waits to be accepted when one dies is taken by another. `on_ready` gets the
    base URL, and the address of the health and metrics of all of them together.
    """
    listener = listen(settings.server.host, settings.server.port)
    listener.listen(1024)
    host, port = listener.getsockname()[:2]
    metrics = Metrics("gateway", __version__)

    def hear(slot: int, event: Event) -> None:
        if event["kind"] == "metrics":
            metrics.children.update(str(event["pid"]), snapshot_from(event["families"]))
        elif event["kind"] == "gone":
            metrics.children.forget(str(event["pid"]))

    background = Background(metrics)
    supervisor = Supervisor(
        "inkgate.service.serving",
        count,
        {},
        shared=[listener],
        on_event=hear,
        on_malformed=metrics.malformed,
        name="gateway",
        background=background,
    )
    health = Health({"gateways": _gateways_check(supervisor), "tasks": background.check})
    probes = ProbeServer(health, metrics, settings.server.health_host, settings.server.health_port, background)
    probes.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor.start()
    stopped = asyncio.create_task(stop.wait())
    try:
        warm = asyncio.create_task(supervisor.wait_ready(count))
        await asyncio.wait({warm, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if warm.done():
            warm.result()
            health.started()
            on_ready(f"http://{host}:{port}", f"http://{settings.server.health_host}:{probes.port}")
        warm.cancel()
        await stopped
    finally:
        health.drain()
        listener.close()
        await supervisor.stop(settings.limits.deadline + 10)
        await asyncio.to_thread(probes.close)


def _gateways_check(supervisor: Supervisor) -> Check:
    async def check() -> None:
        if not supervisor.ready:
            raise BrokerUnavailable("no gateway process is ready")

    return check


def main(argv: list[str]) -> int:
    """One gateway of several."""
    parent, control_fd, listen_fd = (int(argument) for argument in argv)
    bind_to_parent(parent)
    control = socket.socket(fileno=control_fd)
    frames.recv(control)
    settings = knobs.load()
    logs.configure(settings.telemetry.log_level, settings.telemetry.log_format, secrets=knobs.secret_values(settings))
    try:
        asyncio.run(_serve_one(settings, socket.socket(fileno=listen_fd), control))
    except InkGateError as error:
        frames.send(control, {"kind": "fatal", "error": str(error)})
        return 2
    return 0


async def _serve_one(settings: Settings, listener: socket.socket, control: socket.socket) -> None:
    reporting: list[BackgroundTask] = []

    def ready(url: str, metrics: Metrics, background: Background) -> None:
        frames.send(control, {"kind": "ready"})
        reporting.append(background.task("metrics-report", partial(_report, metrics, control)))
        reporting[0].start()

    await serve_gateway(settings, listener, ready)
    for task in reporting:
        await task.close()


async def _report(metrics: Metrics, control: socket.socket) -> None:
    """Tell the supervisor our metrics every few seconds, so that one scrape sees all processes."""
    while True:
        frames.send(control, {"kind": "metrics", "pid": os.getpid(), "families": metrics.snapshot()})
        await asyncio.sleep(_SNAPSHOT_EVERY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
