"""Samplers of a gateway: queue, database, watched balances, certificates."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from inkgate.service.accounts import repository
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import clock, work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ClockSuspect
from inkgate.service.metering.service import pack_state, packs_of
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.sampling import Sampler, SamplerRunner, certificate_sampler

log = logging.getLogger(__name__)


def gateway_samplers(
    settings: Settings,
    engine: AsyncEngine,
    broker: Broker,
    metrics: Metrics,
    background: Background,
    checked: Clock = database_clock,
) -> SamplerRunner:
    """The samplers of one gateway process; `checked` is the clock used to settle."""
    samplers = [queue_sampler(settings, broker, metrics), database_sampler(engine, metrics, checked)]
    if settings.telemetry.accounts:
        samplers.append(pack_sampler(settings.telemetry.accounts, engine, metrics, checked))
    if settings.telemetry.certificates:
        samplers.append(certificate_sampler(metrics, settings.telemetry.certificates))
    return SamplerRunner(samplers, background)


def queue_sampler(settings: Settings, broker: Broker, metrics: Metrics) -> Sampler:
    """Queue depth, age of the oldest image, live workers; with Redis also whether it answers."""

    async def read() -> None:
        try:
            metrics.queue(await broker.state())
        except Exception:
            if settings.redis.url:
                metrics.dependency("redis", False)
            raise
        if settings.redis.url:
            metrics.dependency("redis", True)

    return Sampler("queue", read, 2.0)


def database_sampler(engine: AsyncEngine, metrics: Metrics, checked: Clock = database_clock) -> Sampler:
    """Whether the database answers, the skew of its clock and whether it is suspect, and the use of the connection
    pool."""

    async def read() -> None:
        pool = engine.pool
        if isinstance(pool, QueuePool):
            metrics.pool("database", pool.checkedout(), pool.checkedin())
        try:
            started = time.time()
            async with engine.connect() as connection:
                connection = await connection.execution_options(read_only=True)
                database_time = await clock.now(connection)
            metrics.clock_skew("database", database_time.timestamp() - (started + time.time()) / 2)
            metrics.clock_suspect(_suspect(database_time, checked))
        except Exception:
            metrics.dependency("database", False)
            raise
        metrics.dependency("database", True)

    return Sampler("database", read, 5.0)


def _suspect(database_time: datetime, checked: Clock) -> bool:
    try:
        checked(database_time)
    except ClockSuspect as error:
        log.error("nothing is settled: %s; see docs/runbooks/clock-jump.md", error)
        return True
    return False


def pack_sampler(
    accounts: tuple[str, ...], engine: AsyncEngine, metrics: Metrics, checked: Clock = database_clock
) -> Sampler:
    """Balances of the accounts in INKGATE_TELEMETRY__ACCOUNTS (names or ids), labelled with the configured text."""

    async def read() -> None:
        async with work.read_session(engine) as session:
            now = await clock.now(session, checked)
            for name in accounts:
                account = await repository.account_named(session, name) or await repository.account(session, name)
                if account is None:
                    continue
                packs = [p for p in await packs_of(session, account.id) if pack_state(p, now) in ("valid", "exhausted")]
                for capability in CAPABILITIES:
                    current = [pack for pack in packs if pack.capability == capability and pack.ends_at > now]
                    if current:
                        metrics.pack(
                            name,
                            capability,
                            sum(p.total - p.used for p in current),
                            sum(p.total for p in current),
                            max(p.ends_at for p in current).timestamp(),
                        )

    return Sampler("packs", read, 60.0)
