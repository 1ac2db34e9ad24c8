"""`inkgate serve`: gateway, console and workers in one process tree."""

from __future__ import annotations

from collections.abc import Callable

from inkgate.service import __version__
from inkgate.service.background import Background
from inkgate.service.composition.fleet import embedded_fleet
from inkgate.service.composition.gateway import gateway
from inkgate.service.composition.web import build_server, listen, serve
from inkgate.service.console import DemoLinks
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.gateway.memory import freeze_startup_objects
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics


async def serve_embedded(
    settings: Settings, on_ready: Callable[[str], None], *, demo_links: DemoLinks | None = None
) -> None:
    """Run gateway, console and workers until a shutdown signal. `on_ready` is called with the base URL once a worker is
    ready. `demo_links` sign in to the console of a demo.

    Raises Misuse with the error of the engine when no worker can start.
    """
    metrics = Metrics(
        "serve", __version__, capabilities=CAPABILITIES, inflight_limit_bytes=settings.limits.inflight_bytes
    )
    console, background = settings.console.enabled, Background(metrics)
    async with (
        embedded_fleet(settings, metrics, background) as broker,
        gateway(settings, broker, metrics, background, console=console, demo_links=demo_links) as (app, health),
    ):
        server = build_server(settings, app, health)

        async def announce() -> None:
            await broker.wait_ready()
            await server.wait_listening()
            freeze_startup_objects()
            health.mark_started()
            on_ready(server.url)

        await serve(server, listen(settings.server.host, settings.server.port), announce)
