"""`inkgate console`: the console in its own process, separate from the gateways."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse

from inkgate.service import __version__
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.worker_registry import RedisWorkerRegistry
from inkgate.service.composition.database import open_database
from inkgate.service.composition.settings_trail import record_settings
from inkgate.service.composition.web import build_server, listen, serve
from inkgate.service.console import ConsoleDependencies, create_console
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.probe_routes import add_probes


async def serve_console(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve the pages until a shutdown signal; `on_ready` gets their address. Raises ConfigurationError."""
    if not settings.console.gateway_url:
        raise ConfigurationError(
            "INKGATE_CONSOLE__GATEWAY_URL",
            "is empty, and the try-it page calls the gateway",
            "Set it, for example to http://gateway:8080.",
        )
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        await record_settings(database, settings, "console")
        fleet = _fleet(stack, settings)
        health = Health({"database": database.check})
        parts = ConsoleDependencies.of(settings, database.engine, database.vault, fleet, database.clock)
        server = build_server(settings, application(parts, health), health)

        async def announce() -> None:
            await server.wait_listening()
            health.mark_started()
            on_ready(f"{server.url}/console")

        await serve(server, listen(settings.console.host, settings.console.port), announce)


def _fleet(stack: AsyncExitStack, settings: Settings) -> RedisWorkerRegistry | None:
    """The queue and worker state in Redis; None without a Redis URL."""
    if not settings.redis.url:
        return None
    fleet = RedisWorkerRegistry(settings.redis.url, Keys(settings.redis.namespace, settings.engine.profile))
    stack.push_async_callback(fleet.close)
    return fleet


def application(parts: ConsoleDependencies, health: Health) -> FastAPI:
    """The application: the console under /console, and the probe routes."""
    app = FastAPI(title="InkGate console", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

    add_probes(app, health)

    @app.get("/")
    async def home() -> Response:
        return RedirectResponse("/console/", 303)

    app.mount("/console", create_console(parts))
    return app
