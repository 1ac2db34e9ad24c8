"""The gateway's ASGI application: calls, health, metrics and the interactive reference."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from inkgate.service import __version__
from inkgate.service.client_ip import parse_networks
from inkgate.service.contract.examples import examples
from inkgate.service.contract.headers import Surface, merge_repeats, refused_repeats
from inkgate.service.contract.openapi import document
from inkgate.service.contract.refusals import GATEWAY_CODES, refusal_body
from inkgate.service.gateway.calls import CallEndpoint
from inkgate.service.gateway.pipeline import Pipeline
from inkgate.service.gateway.reference import reference_page
from inkgate.service.gateway.services import Services
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_routes import add_probes

CALLS = "/v1/aiop/api"


class GatewayApp(FastAPI):
    """The application. API calls go to their endpoint before FastAPI's middleware and routes, which do nothing for
    them."""

    def serve_calls(self, endpoint: ASGIApp) -> None:
        """Answer everything below CALLS with `endpoint`, which has error codes of its own for unknown paths."""
        self._calls = endpoint
        self.mount(CALLS, endpoint)  # for CALLS itself, and for what composes applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{CALLS}/"):
            await self._calls(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings, services: Services, metrics: Metrics, health: Health) -> FastAPI:
    """Build the application. The caller starts and closes the services."""
    app = GatewayApp(title="InkGate", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    pipeline = Pipeline(settings, services)
    trusted = parse_networks(settings.server.trusted_proxies)
    app.serve_calls(CallEndpoint(settings, pipeline, metrics, trusted))
    add_probes(app, health)
    _add_metrics(app, metrics)
    _add_reference(app)
    app.add_exception_handler(HTTPException, _not_found)
    return app


def _add_metrics(app: FastAPI, metrics: Metrics) -> None:
    @app.get("/metrics", include_in_schema=False)
    async def scrape(request: Request) -> Response:
        body, content_type = metrics.render(_header(request, "accept"))
        return Response(body, headers={"content-type": content_type})


def _add_reference(app: FastAPI) -> None:
    openapi = document(examples())
    page = reference_page(openapi)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi_json() -> Response:
        return JSONResponse(openapi)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")


async def _not_found(request: Request, error: Exception) -> Response:
    """Answer for an unknown path ("service not registered", 50001) or a wrong method on a page (40008)."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    code = 40008 if status == 405 else 50001
    request_id = _header(request, "ctyun-eop-request-id")[:128]
    headers = error.headers if isinstance(error, HTTPException) else None  # Allow
    return JSONResponse(refusal_body(code, request_id), GATEWAY_CODES[code].http, headers)


def _header(request: Request, name: str) -> str:
    """The header's value, repeats merged; "" when it is absent or repeated where that is not allowed."""
    raw = request.scope["headers"]
    if name in refused_repeats(raw, Surface.PAGES):
        return ""
    return dict(merge_repeats(raw)).get(name.encode(), b"").decode("latin-1")
