"""What a gateway samples from a timer: the queue, the database, the balances an operator watches, certificates."""

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


def gateway_watch(
    settings: Settings,
    engine: AsyncEngine,
    broker: Broker,
    metrics: Metrics,
    background: Background,
    checked: Clock = database_clock,
) -> SamplerRunner:
    """The samplers of one gateway process; `checked` is the clock by which it settles."""
    samplers = [queue_sampler(settings, broker, metrics), database_sampler(engine, metrics, checked)]
    if settings.telemetry.accounts:
        samplers.append(pack_sampler(settings.telemetry.accounts, engine, metrics, checked))
    if settings.telemetry.certificates:
        samplers.append(certificate_sampler(metrics, settings.telemetry.certificates))
    return SamplerRunner(samplers, background)


def queue_sampler(settings: Settings, broker: Broker, metrics: Metrics) -> Sampler:
    """Depth, age and live workers; with Redis also whether it answers."""

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
    """Whether the database answers, how far its clock is from ours and whether that is believed, and how its pool
    stands."""

    async def read() -> None:
        pool = engine.pool
        if isinstance(pool, QueuePool):
            metrics.pool("database", pool.checkedout(), pool.checkedin())
        try:
            asked = time.time()
            async with engine.connect() as connection:
                connection = await connection.execution_options(read_only=True)
                theirs = await clock.now(connection)
            metrics.clock_skew("database", theirs.timestamp() - (asked + time.time()) / 2)
            metrics.clock_suspect(_suspect(theirs, checked))
        except Exception:
            metrics.dependency("database", False)
            raise
        metrics.dependency("database", True)

    return Sampler("database", read, 5.0)


def _suspect(theirs: datetime, checked: Clock) -> bool:
    try:
        checked(theirs)
    except ClockSuspect as error:
        log.error("nothing is settled: %s; see docs/runbooks/clock-jump.md", error)
        return True
    return False


def pack_sampler(
    accounts: tuple[str, ...], engine: AsyncEngine, metrics: Metrics, checked: Clock = database_clock
) -> Sampler:
    """Balances of the accounts named (or with the ids given) in INKGATE_TELEMETRY__ACCOUNTS, under the name given."""

    async def read() -> None:
        async with work.read_session(engine) as session:
            now = await clock.now(session, checked)
            for name in accounts:
                found = await repository.account_named(session, name) or await repository.account(session, name)
                if found is None:
                    continue
                packs = [p for p in await packs_of(session, found.id) if pack_state(p, now) in ("valid", "exhausted")]
                for capability in CAPABILITIES:
                    mine = [pack for pack in packs if pack.capability == capability and pack.ends_at > now]
                    if mine:
                        metrics.pack(
                            name,
                            capability,
                            sum(p.total - p.used for p in mine),
                            sum(p.total for p in mine),
                            max(p.ends_at for p in mine).timestamp(),
                        )

    return Sampler("packs", read, 60.0)
