"""The gateway's application over a started broker: settings in, a running gateway out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from inkgate.service import __version__
from inkgate.service.accounts import SqlDirectory
from inkgate.service.admin import PATH as ADMIN_PATH
from inkgate.service.admin import create_admin
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.broker.streams.client import async_client
from inkgate.service.composition.database import OpenDatabase, open_database
from inkgate.service.composition.fleet import EmbeddedBroker
from inkgate.service.composition.lifecycle import started
from inkgate.service.composition.samplers import gateway_watch
from inkgate.service.console import ConsoleDependencies, create_console
from inkgate.service.errors import Overloaded
from inkgate.service.gateway.app import create_app
from inkgate.service.gateway.memory import limit_malloc_arenas
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

PARSE_THREADS = 4
_CONNECTIONS = 8  # to Redis, for rate limits and kept answers; the broker has its own


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
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        health = Health(
            {
                "database": database.check,
                "workers": partial(_some_worker, broker),
                "tasks": background.check,
                "clock": database.clock.check,
            }
        )
        services = _services(stack, settings, database, broker, metrics)
        await _start(stack, settings, database, services, metrics, background)
        app = create_app(settings, services, metrics, health)
        if settings.server.admin:
            app.mount(ADMIN_PATH, create_admin(database.engine, database.vault, settings, database.clock))
        if console:
            app.mount("/console", create_console(_console_parts(settings, database, broker)))
        yield app, health


def _services(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, broker: Broker, metrics: Metrics
) -> Services:
    """What the pipeline works with; `stack` closes what has to be closed, the ledger but for its start."""
    shared = None
    if settings.redis.url:
        shared = async_client(settings.redis.url, _CONNECTIONS, retry_connect=True)
        stack.push_async_callback(shared.aclose)
    traces = settings.telemetry
    tracing = Tracing.configured(traces.traces_endpoint, "gateway", __version__, traces.traces_ratio)
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    pool = ThreadPoolExecutor(PARSE_THREADS, thread_name_prefix="parse")
    stack.callback(pool.shutdown, wait=False, cancel_futures=True)
    return Services(
        directory=SqlDirectory(database.engine, database.vault, default_qps=settings.limits.qps),
        ledger=SqlLedger(database.engine, metrics=metrics, clock=database.clock),
        broker=broker,
        limiter=RedisLimiter(shared, settings.redis.namespace) if shared else LocalLimiter(),
        replays=RedisReplayStore(shared, settings.redis.namespace) if shared else MemoryReplayStore(),
        pool=pool,
        tracing=tracing,
        refusals=Refusals(),
    )


async def _start(
    stack: AsyncExitStack,
    settings: Settings,
    database: OpenDatabase,
    services: Services,
    metrics: Metrics,
    background: Background,
) -> None:
    """Start the ledger and what runs beside the calls."""
    engine, clock = database.engine, database.clock
    await started(stack, services.ledger)
    await started(stack, gateway_watch(settings, engine, services.broker, metrics, background, clock))
    await started(stack, RefusalWriter(engine, services.refusals, clock=clock, background=background))
    report = partial(_report, metrics)
    await started(stack, Housekeeper(engine, settings.ledger, report, clock=clock, background=background))


def _console_parts(settings: Settings, database: OpenDatabase, broker: Broker) -> ConsoleDependencies:
    fleet = broker if isinstance(broker, EmbeddedBroker) else None
    return ConsoleDependencies.of(settings, database.engine, database.vault, fleet, database.clock)


def _report(metrics: Metrics, found: ReconciliationState) -> None:
    metrics.drift(found.drift, found.checked_at.timestamp(), found.backlog)


async def _some_worker(broker: Broker) -> None:
    """Raises Overloaded when no worker is alive: a gateway alone cannot answer."""
    if (await broker.state()).workers == 0:
        raise Overloaded("no live worker")
