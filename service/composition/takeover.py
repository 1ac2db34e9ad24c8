"""The parts of a gateway that send calls on to the cloud; only built where the settings name one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.background import Background
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.composition.lifecycle import start_component
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.forward import Forwarder
from inkgate.service.gateway.services import Services
from inkgate.service.gateway.shadow import ShadowReader, ShadowSettings
from inkgate.service.sealed import sm2
from inkgate.service.settings import Settings
from inkgate.service.takeover.observation import Observer
from inkgate.service.takeover.recorder import ObservationRecorder
from inkgate.service.takeover.routes import RouteWatcher
from inkgate.service.takeover.tally import Keeping
from inkgate.service.takeover.upstream import Upstream
from inkgate.service.telemetry.metrics import Metrics


def observation_recorder(
    settings: Settings, database: OpenDatabase, metrics: Metrics, background: Background
) -> ObservationRecorder:
    """The recorder of a gateway, not started; also without a cloud, since old figures end with their retention."""
    takeover = settings.takeover
    keeping = Keeping(takeover.report_values, takeover.report_personal)
    days, clock = takeover.report_value_days, database.clock
    return ObservationRecorder(
        database.engine, metrics, keeping, difference_days=days, clock=clock, background=background
    )


async def with_takeover(
    stack: AsyncExitStack,
    settings: Settings,
    engine: AsyncEngine,
    services: Services,
    metrics: Metrics,
    background: Background,
    observer: Observer,
) -> Services:
    """`services` with what sends calls on and reads mirrored ones, started; unchanged where no cloud is named.

    Raises ConfigurationError, DatabaseDown.
    """
    takeover = settings.takeover
    if not takeover.enabled:
        return services
    upstream = Upstream(takeover)
    stack.push_async_callback(upstream.close)
    watcher = RouteWatcher(engine, background=background, on_read=metrics.routes_read)
    await start_component(stack, watcher)
    codec = BodyCodec(services.pool, sm2.select_provider(settings.security.sm2))
    bounds = ShadowSettings(
        calls=takeover.shadow_calls,
        bytes=takeover.shadow_bytes,
        at_once=takeover.shadow_at_once,
        wait=takeover.shadow_wait,
        deadline=settings.limits.deadline,
        superset=settings.server.superset,
    )
    shadow = ShadowReader(services.broker, codec, observer, metrics, bounds, background)
    await start_component(stack, shadow)
    forwarder = Forwarder(watcher, upstream, metrics, fallback=takeover.fallback)
    return replace(services, forwarder=forwarder, shadow=shadow)
