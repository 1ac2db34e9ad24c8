"""`inkgate worker`: worker processes over Redis, their supervisor, and a port that tells how they are."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.broker.streams.client import OUT_OF_REACH, on_loop
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.roll import RollPoster
from inkgate.service.errors import BrokerUnavailable, ConfigurationError
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Check, Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer
from inkgate.service.worker import policy
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.fleet import native_threads
from inkgate.service.worker.observe import FleetMetrics
from inkgate.service.worker.roster import Roster
from inkgate.service.worker.supervisor import Event, Supervisor

log = logging.getLogger(__name__)


async def serve_workers(settings: Settings, on_ready: Callable[[str], None] = lambda url: None) -> None:
    """Keep settings.worker.processes workers up until SIGTERM or Ctrl-C, then drain them.

    `on_ready` gets the address of health and metrics once the first worker is warm. Raises ConfigurationError without
    a Redis URL, Misuse with the engine's own words when no worker can start.
    """
    if not settings.redis.url:
        raise ConfigurationError(
            "INKGATE_REDIS__URL",
            "is empty, and `inkgate worker` pulls from Redis",
            "Set it, or run everything in one process tree with `inkgate serve`.",
        )
    metrics = Metrics("worker", __version__)
    background = Background(metrics)
    count, profile = policy.processes(settings), settings.engine.profile
    roster, counted = Roster(count, profile), FleetMetrics(metrics)

    def hear(slot: int, event: Event) -> None:
        roster(slot, event)
        counted(slot, event)

    supervisor = Supervisor(
        "inkgate.service.worker",
        count,
        WorkerConfig.of(settings).as_dict(),
        on_event=hear,
        on_malformed=metrics.malformed,
        extra_env=native_threads(settings),
        essential=True,
        background=background,
    )
    health = Health(
        {
            "redis": _redis_check(settings.redis.url),
            "workers": _workers_check(supervisor),
            "tasks": background.check,
        }
    )
    probes = _probe_server(settings, health, metrics, background)
    poster = RollPoster(settings.redis.url, Keys(settings.redis.namespace, profile), roster.cards, background)
    stop = _until_told()
    supervisor.start()
    poster.start()
    try:
        warm = asyncio.create_task(supervisor.wait_ready())
        await asyncio.wait({warm, stop}, return_when=asyncio.FIRST_COMPLETED)
        if warm.done():
            warm.result()
            health.started()
            on_ready(f"http://{settings.worker.health_host}:{probes.port}")
        warm.cancel()
        await stop
        log.info("draining")
    finally:
        health.drain()
        await supervisor.stop(settings.worker.grace)
        await poster.close()
        await asyncio.to_thread(probes.close)


def _until_told() -> asyncio.Future[None]:
    """Done at the first SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not told.done():
            told.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    return told


def _probe_server(settings: Settings, health: Health, metrics: Metrics, background: Background) -> ProbeServer:
    host, port = settings.worker.health_host, settings.worker.health_port
    try:
        probes = ProbeServer(health, metrics, host, port, background)
    except OSError as error:
        raise ConfigurationError(
            "INKGATE_WORKER__HEALTH_PORT", f"cannot listen on {host}:{port} ({error.strerror})", "Choose another port."
        ) from None
    probes.start()
    return probes


def _redis_check(url: str) -> Check:
    async def check() -> None:
        redis = on_loop(url, 1)  # probes run on a loop of their own each time, so the client cannot be kept
        try:
            await redis.ping()
        except OUT_OF_REACH as error:
            raise BrokerUnavailable("redis does not answer") from error
        finally:
            await redis.aclose()

    return check


def _workers_check(supervisor: Supervisor) -> Check:
    async def check() -> None:
        if not supervisor.ready:
            raise BrokerUnavailable("no worker is warm")

    return check
