"""`inkgate serve`: gateway, console and workers in one process tree."""

from __future__ import annotations

from collections.abc import Callable

from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.composition.fleet import embedded_fleet
from inkgate.service.composition.gateway import gateway
from inkgate.service.composition.web import listen, serve, server_for
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics


async def serve_embedded(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run everything in one process tree until a shutdown signal. `on_ready` gets the base URL once images can be
    read. Raises Misuse with the engine's words when no worker can start."""
    metrics = Metrics(
        "serve", __version__, capabilities=CAPABILITIES, inflight_limit_bytes=settings.limits.inflight_bytes
    )
    console, background = settings.console.enabled, Background(metrics)
    async with (
        embedded_fleet(settings, metrics, background) as broker,
        gateway(settings, broker, metrics, background, console=console) as (app, health),
    ):
        server = server_for(settings, app, health)

        async def announce() -> None:
            await broker.wait_ready()
            await server.wait_listening()
            health.mark_started()
            on_ready(server.url)

        await serve(server, listen(settings.server.host, settings.server.port), announce)
