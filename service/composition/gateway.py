"""Builds the gateway application on a started broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

from fastapi import FastAPI

from inkgate.service import __version__
from inkgate.service.accounts import SqlDirectory
from inkgate.service.admin.app import PATH as ADMIN_PATH
from inkgate.service.admin.app import create_admin
from inkgate.service.audit.keeper import AuditKeeper
from inkgate.service.audit.stream import AuditStream, target_of
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.broker.streams import StreamsBroker
from inkgate.service.broker.streams.client import async_client
from inkgate.service.composition.database import OpenDatabase, open_database
from inkgate.service.composition.fleet import EmbeddedBroker
from inkgate.service.composition.lifecycle import start_component
from inkgate.service.composition.notices import notice_runner
from inkgate.service.composition.samplers import gateway_samplers
from inkgate.service.composition.settings_trail import record_settings
from inkgate.service.composition.takeover import observation_recorder, with_takeover
from inkgate.service.console import ConsoleDependencies, DemoLinks, create_console
from inkgate.service.errors import Overloaded
from inkgate.service.gateway.app import create_app
from inkgate.service.gateway.memory import limit_malloc_arenas
from inkgate.service.gateway.services import Services
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.anchors import anchor
from inkgate.service.metering.housekeeping import Housekeeper
from inkgate.service.metering.reconciliation import ReconciliationState
from inkgate.service.ratelimit import LocalLimiter, RedisLimiter
from inkgate.service.redis_batches import CommandBatches
from inkgate.service.replay import MemoryReplayStore, NoReplayStore, RedisReplayStore, ReplayStore
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import Refusals, RefusalWriter

PARSE_THREADS = 4
_REDIS_CONNECTIONS = 8  # for rate limits and replays beside an embedded queue


@asynccontextmanager
async def gateway(
    settings: Settings,
    broker: Broker,
    metrics: Metrics,
    background: Background,
    *,
    console: bool = False,
    demo_links: DemoLinks | None = None,
) -> AsyncIterator[tuple[FastAPI, Health]]:
    """The gateway application on a started broker. Opens and closes the database, the ledger and the directory.

    `background` holds the tasks of the whole process, including those of the broker; readiness checks them.
    With `console` the console is mounted under /console, with `demo_links` for a demo.
    With a Redis URL all gateways share rate limits and replays.
    """
    limit_malloc_arenas()
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        health = Health(
            {
                "database": database.check,
                "workers": partial(_check_live_worker, broker),
                "tasks": background.check,
                "clock": database.clock.check,
            }
        )
        services = _services(stack, settings, database, broker, metrics)
        await _start(stack, settings, database, services, metrics, background)
        observer = await start_component(stack, observation_recorder(settings, database, metrics, background))
        services = await with_takeover(stack, settings, database.engine, services, metrics, background, observer)
        app = create_app(settings, services, metrics, health)
        if settings.server.admin:
            app.mount(ADMIN_PATH, create_admin(database.engine, database.vault, settings, database.clock))
        if console:
            app.mount("/console", create_console(_console_parts(settings, database, broker), demo_links))
        yield app, health


def _services(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, broker: Broker, metrics: Metrics
) -> Services:
    """The services of the call pipeline. `stack` closes them, except the ledger, which `_start` registers."""
    commands, namespace = _redis_commands(stack, settings, broker), settings.redis.namespace
    telemetry = settings.telemetry
    tracing = Tracing.configured(telemetry.traces_endpoint, "gateway", __version__, telemetry.traces_ratio)
    stack.push_async_callback(asyncio.to_thread, tracing.close)
    pool = ThreadPoolExecutor(PARSE_THREADS, thread_name_prefix="parse")
    stack.callback(pool.shutdown, wait=False, cancel_futures=True)
    return Services(
        directory=SqlDirectory(database.engine, database.vault, default_qps=settings.limits.qps),
        ledger=SqlLedger(database.engine, metrics=metrics, clock=database.clock),
        broker=broker,
        limiter=RedisLimiter(commands, namespace) if commands else LocalLimiter(),
        replays=_replays(settings, database, commands),
        pool=pool,
        tracing=tracing,
        refusals=Refusals(),
    )


def _redis_commands(stack: AsyncExitStack, settings: Settings, broker: Broker) -> CommandBatches | None:
    """The commands for rate limits and replays: those of the queue's server, if the queue is in Redis; None without a
    Redis URL."""
    if isinstance(broker, StreamsBroker):
        return broker.commands
    if not settings.redis.url:
        return None
    redis = async_client(settings.redis.url, _REDIS_CONNECTIONS)
    stack.push_async_callback(redis.aclose)
    commands = CommandBatches(redis)
    stack.push_async_callback(commands.close)
    return commands


def _replays(settings: Settings, database: OpenDatabase, commands: CommandBatches | None) -> ReplayStore:
    """Where charged answers are kept until their delivery."""
    kept = settings.security.kept_answers
    if kept == "none":
        return NoReplayStore()
    if commands is None:
        return MemoryReplayStore()
    return RedisReplayStore(commands, settings.redis.namespace, database.vault, seal=kept == "sealed")


async def _start(
    stack: AsyncExitStack,
    settings: Settings,
    database: OpenDatabase,
    services: Services,
    metrics: Metrics,
    background: Background,
) -> None:
    """Start the ledger and the background tasks of a gateway."""
    engine, clock = database.engine, database.clock
    await start_component(stack, services.ledger)
    await start_component(stack, gateway_samplers(settings, engine, services.broker, metrics, background, clock))
    await start_component(stack, RefusalWriter(engine, services.refusals, clock=clock, background=background))
    report = partial(_report, metrics)
    await start_component(stack, Housekeeper(engine, settings.ledger, report, clock=clock, background=background))
    await _keep_trail(stack, settings, database, background)
    if settings.notices.enabled:
        await start_component(stack, notice_runner(settings, database, services.broker, metrics, background))


async def _keep_trail(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, background: Background
) -> None:
    """Keep and send the audit trail. Raises ConfigurationError."""
    engine, clock = database.engine, database.clock
    target = target_of(settings.audit)
    await record_settings(database, settings, "gateway")
    interval = timedelta(minutes=settings.audit.checkpoint_minutes)
    anchoring = partial(anchor, interval=interval)
    keeper = AuditKeeper(
        engine, database.vault, settings.audit, clock=clock, background=background, before_signing=[anchoring]
    )
    await start_component(stack, keeper)
    if target is not None:
        await start_component(stack, AuditStream(engine, target, clock=clock, background=background))


def _console_parts(settings: Settings, database: OpenDatabase, broker: Broker) -> ConsoleDependencies:
    fleet = broker if isinstance(broker, EmbeddedBroker) else None
    return ConsoleDependencies.of(settings, database.engine, database.vault, fleet, database.clock)


def _report(metrics: Metrics, state: ReconciliationState) -> None:
    metrics.drift(state.drift, state.checked_at.timestamp(), state.backlog, state.broken)


async def _check_live_worker(broker: Broker) -> None:
    """Readiness check: raises Overloaded when no worker is alive."""
    if (await broker.state()).workers == 0:
        raise Overloaded("no live worker")
