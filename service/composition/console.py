"""The console in a process of its own, beside gateways that run elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, RedirectResponse

from inkgate.service import __version__
from inkgate.service.accounts.opening import open_vault
from inkgate.service.assembly import listen, server_for
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.roll import StreamsFleet
from inkgate.service.console import Parts, create_console
from inkgate.service.db import clock as clocks
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health, Report


async def serve_console(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve the pages until told to stop; `on_ready` gets their address. Raises ConfigurationError."""
    if not settings.console.gateway_url:
        raise ConfigurationError(
            "INKGATE_CONSOLE__GATEWAY_URL",
            "is empty, and the try-it page calls the gateway",
            "Set it, for example to http://gateway:8080.",
        )
    engine = databases.create(settings.database)
    keys = Keys(settings.redis.namespace, settings.engine.profile)
    fleet = StreamsFleet(settings.redis.url, keys) if settings.redis.url else None
    try:
        await migrate.check(engine)
        health = Health({"database": partial(migrate.check, engine)})
        clock = clocks.CheckedClock(timedelta(minutes=settings.ledger.clock_jump_minutes))
        parts = Parts.of(settings, engine, await open_vault(settings, engine), fleet, clock)
        server = server_for(settings, application(parts, health), health)
        serving = asyncio.create_task(server.serve(sockets=[listen(settings.console.host, settings.console.port)]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        if server.started:
            health.started()
            host, port = server.address
            on_ready(f"http://{host}:{port}/console")
        await serving
    finally:
        if fleet is not None:
            await fleet.close()
        await engine.dispose()


def application(parts: Parts, health: Health) -> FastAPI:
    """The pages under /console, and the probes of an orchestrator beside them."""
    app = FastAPI(title="InkGate console", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)

    def answer(report: Report) -> Response:
        return JSONResponse(report.body(), report.http_status)

    @app.get("/livez")
    async def livez() -> Response:
        return answer(health.live())

    @app.get("/startupz")
    async def startupz() -> Response:
        return answer(health.startup())

    @app.get("/readyz")
    @app.get("/healthz")
    async def readyz() -> Response:
        return answer(await health.ready())

    @app.get("/")
    async def home() -> Response:
        return RedirectResponse("/console/", 303)

    app.mount("/console", create_console(parts))
    return app
