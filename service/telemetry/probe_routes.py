"""/livez /readyz /startupz /healthz as routes of a web application; `probe_server.py` is for processes without one."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from inkgate.service.telemetry.health import Health, Report


def add_probes(app: FastAPI, health: Health) -> None:
    """Answer an orchestrator's questions about `health` on `app`; they stay out of its OpenAPI document."""

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return _answer(health.live())

    @app.get("/startupz", include_in_schema=False)
    async def startupz() -> Response:
        return _answer(health.startup())

    @app.get("/readyz", include_in_schema=False)
    @app.get("/healthz", include_in_schema=False)
    async def readyz() -> Response:
        return _answer(await health.ready())


def _answer(report: Report) -> Response:
    return JSONResponse(report.body(), report.http_status)
