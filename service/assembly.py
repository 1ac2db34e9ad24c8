"""Where the rooms are put together: settings in, a running gateway out. Only the CLI calls this."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from inkgate.service import __version__
from inkgate.service.accounts import SqlDirectory
from inkgate.service.accounts.opening import open_vault
from inkgate.service.admin import PATH as ADMIN_PATH
from inkgate.service.admin import create_admin
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.broker.streams.client import on_loop
from inkgate.service.console import Parts as ConsoleParts
from inkgate.service.console import create_console
from inkgate.service.db import clock as clocks
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.errors import ConfigurationError, Overloaded
from inkgate.service.gateway.app import create_app
from inkgate.service.gateway.descriptors import connections_allowed
from inkgate.service.gateway.memory import limit_malloc_arenas
from inkgate.service.gateway.protocol import limited_protocol
from inkgate.service.gateway.services import Services
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.housekeeping import Housekeeper
from inkgate.service.metering.reconciliation import ReconciliationState
from inkgate.service.ratelimit import LocalLimiter, RedisLimiter
from inkgate.service.replay import MemoryReplayStore, RedisReplayStore
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import Refusals, RefusalWriter
from inkgate.service.watching import gateway_watch
from inkgate.service.worker.fleet import EmbeddedBroker, embedded_fleet

PARSE_THREADS = 4
_CONNECTIONS = 8  # to Redis, for rate limits and kept answers; the broker has its own


class GatewayServer(uvicorn.Server):
    """uvicorn that turns unready as soon as it is told to stop, so that a load balancer looks elsewhere."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not super(): uvicorn would raise the signal again after its own shutdown, and end the process before the
        # workers are drained and the ledger is closed.
        self._health.drain()
        self.force_exit = self.should_exit
        self.should_exit = True

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return host, port


@asynccontextmanager
async def gateway(
    settings: Settings, broker: Broker, metrics: Metrics, background: Background, *, console: bool = False
) -> AsyncIterator[tuple[FastAPI, Health]]:
    """The gateway's application over a started broker; ledger and directory are opened and closed here.

    `background` holds the tasks of the whole process, the broker's too: readiness asks it.
    With `console` the pages for customers and operators are served beside it, under /console.
    With a Redis URL, rate limits and kept answers are shared by all gateways.
    """
    limit_malloc_arenas()
    engine = databases.create(settings.database)
    await migrate.check(engine)
    clock = clocks.CheckedClock(timedelta(minutes=settings.ledger.clock_jump_minutes))
    health = Health(
        {
            "database": partial(migrate.check, engine),
            "workers": partial(_some_worker, broker),
            "tasks": background.check,
            "clock": clock.check,
        }
    )
    vault = await open_vault(settings, engine)
    shared = on_loop(settings.redis.url, _CONNECTIONS, patient=True) if settings.redis.url else None
    traces = settings.telemetry
    tracing = Tracing.configured(traces.traces_endpoint, "gateway", __version__, traces.traces_ratio)
    ledger, refusals = SqlLedger(engine, metrics=metrics, clock=clock), Refusals()
    pool = ThreadPoolExecutor(PARSE_THREADS, thread_name_prefix="parse")
    services = Services(
        directory=SqlDirectory(engine, vault, default_qps=settings.limits.qps),
        ledger=ledger,
        broker=broker,
        limiter=RedisLimiter(shared, settings.redis.namespace) if shared else LocalLimiter(),
        replays=RedisReplayStore(shared, settings.redis.namespace) if shared else MemoryReplayStore(),
        pool=pool,
        tracing=tracing,
        refusals=refusals,
    )
    watch = gateway_watch(settings, engine, broker, metrics, background, clock)
    writer = RefusalWriter(engine, refusals, clock=clock, background=background)
    keeper = Housekeeper(engine, settings.ledger, partial(_report, metrics), clock=clock, background=background)
    await ledger.start()
    await watch.start()
    await writer.start()
    await keeper.start()
    try:
        app = create_app(settings, services, metrics, health)
        if settings.server.admin:
            app.mount(ADMIN_PATH, create_admin(engine, vault, settings, clock))
        if console:
            fleet = broker if isinstance(broker, EmbeddedBroker) else None
            app.mount("/console", create_console(ConsoleParts.of(settings, engine, vault, fleet, clock)))
        yield app, health
    finally:
        await keeper.close()
        await writer.close()
        await watch.close()
        await ledger.close()
        await engine.dispose()
        await asyncio.to_thread(tracing.close)
        if shared:
            await shared.aclose()
        pool.shutdown(wait=False, cancel_futures=True)


def _report(metrics: Metrics, found: ReconciliationState) -> None:
    metrics.drift(found.drift, found.checked_at.timestamp(), found.backlog)


async def _some_worker(broker: Broker) -> None:
    """Raises Overloaded when no worker is alive: a gateway alone cannot answer."""
    if (await broker.state()).workers == 0:
        raise Overloaded("no live worker")


async def serve_embedded(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run everything in one process tree until it is told to stop. `on_ready` gets the base URL once pictures can be
    read."""
    metrics = Metrics("serve", __version__, inflight_limit_bytes=settings.limits.inflight_bytes)
    console, background = settings.console.enabled, Background(metrics)
    async with (
        embedded_fleet(settings, metrics, background) as broker,
        gateway(settings, broker, metrics, background, console=console) as (app, health),
    ):
        server = server_for(settings, app, health)
        serving = asyncio.create_task(server.serve(sockets=[listen(settings.server.host, settings.server.port)]))
        ready = asyncio.create_task(_announce(broker, server, health, on_ready))
        try:
            await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
            await serving
        finally:
            ready.cancel()
            server.should_exit = True
            await serving


async def _announce(
    broker: EmbeddedBroker, server: GatewayServer, health: Health, on_ready: Callable[[str], None]
) -> None:
    """Say that pictures can be read, once they can. Raises Misuse with the engine's words when no worker can start."""
    await broker.wait_ready()
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it; milliseconds, and the caller cancels
        await asyncio.sleep(0.01)
    health.started()
    host, port = server.address
    on_ready(f"http://{host}:{port}")


def server_for(settings: Settings, app: FastAPI, health: Health) -> GatewayServer:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is believed is ours to say: service/client_ip.py
        http=limited_protocol(connections_allowed()),
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=round(settings.limits.deadline) + 5,
    )
    return GatewayServer(config, health)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port in use is one plain line and port 0 has a number at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio switches Nagle's algorithm off only where the protocol is: with it, every answer but the
    # first on a connection waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            "INKGATE_SERVER__PORT", f"cannot listen on {host}:{port} ({error.strerror})", "Choose another with --port."
        ) from None
    return listener
