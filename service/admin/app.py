"""The operator's JSON API: accounts, apps, packs, orders, refunds, usage, audit; for mounting at /admin/v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Match, Route

from inkgate.service import __version__
from inkgate.service.accounts.vault import Vault
from inkgate.service.admin import accounts, billing, importing, notices, reports, takeover_report, takeover_routes
from inkgate.service.admin.access import AdminContext
from inkgate.service.contract.headers import Surface
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.header_middleware import RepeatedHeaderMiddleware
from inkgate.service.messages import Kind
from inkgate.service.settings import Settings

PATH = "/admin/v1"
MAX_BODY_BYTES = 64 * 1024  # far above any valid request; the body is parsed before the token is checked


ROUTERS = (
    accounts.router,
    importing.router,
    billing.router,
    reports.router,
    notices.router,
    takeover_report.router,
    takeover_routes.router,
)
MAX_REPORTED_ERRORS = 20  # in one answer of status 422


class Refusal(BaseModel):
    """Why a request was not done, in one line."""

    detail: str


class Problem(Refusal):
    """The same with the stable code of the problem and the values that the line names, for programs."""

    code: str
    params: dict[str, str | int | float | list[str]]


STATUSES: Mapping[Kind, int] = {Kind.NOT_FOUND: 404, Kind.CONFLICT: 409, Kind.FORBIDDEN: 403}
"""HTTP status by kind of problem; every other kind is 400."""


ERROR_RESPONSES: Mapping[int | str, dict[str, Any]] = {
    400: {
        "description": "What is asked for cannot be done: a value is not acceptable, or a limit is reached.",
        "model": Problem,
    },
    401: {"description": "No good token.", "model": Refusal},
    403: {"description": "The token lacks the scope.", "model": Problem},
    404: {"description": "What the path, the query or the body names does not exist.", "model": Problem},
    409: {
        "description": "The state of what is named does not allow it: decided already, used, a name taken.",
        "model": Problem,
    },
    413: {"description": f"The body has more than {MAX_BODY_BYTES // 1024} KiB; plain text."},
    503: {"description": "The database cannot be used now.", "model": Refusal},
}


def create_admin(engine: AsyncEngine, vault: Vault, settings: Settings, clock: Clock = database_clock) -> FastAPI:
    """The ASGI application. Its OpenAPI description is at /openapi.json below the mount point and needs no token."""
    app = FastAPI(
        title="InkGate admin API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses=dict(ERROR_RESPONSES),
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.context = AdminContext(engine, vault, settings, clock)
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(400, _unreadable)
    app.add_exception_handler(404, _unknown_address)
    app.add_exception_handler(405, _wrong_method)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(Misuse, _misuse)
    app.add_exception_handler(ClockSuspect, _clock)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(OSError, _database)
    app.add_middleware(RepeatedHeaderMiddleware, surface=Surface.ADMIN)
    return app


async def _unreadable(request: Request, _error: Exception) -> Response:
    """A body that FastAPI's parser rejects with 400, such as JSON that is nested too deeply."""
    return await _misuse(request, Misuse("request.body_unreadable"))


async def _unknown_address(request: Request, _error: Exception) -> Response:
    return await _misuse(request, Misuse("request.address_unknown"))


async def _wrong_method(request: Request, _error: Exception) -> Response:
    """405 with the methods of all routes of the path; Starlette names those of one route only."""
    methods: set[str] = set()
    for route in (route for router in ROUTERS for route in router.routes):
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(sorted(methods))})


async def _malformed(_request: Request, error: Exception) -> Response:
    """422 with place and reason of each validation error, without the input: JSON may be unable to represent it."""
    assert isinstance(error, RequestValidationError)
    found = [
        {"type": each["type"], "loc": [_location(part) for part in each["loc"]], "msg": _location(each["msg"])}
        for each in error.errors()[:MAX_REPORTED_ERRORS]
    ]
    return JSONResponse({"detail": found}, 422)


def _location(part: object) -> object:
    """Part of an error location: an index, or a name cut at 200 characters with unpaired surrogates replaced."""
    return part if isinstance(part, int) else str(part)[:200].encode("utf-8", "replace").decode()


async def _misuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Misuse)
    body = {"detail": str(error), "code": error.code, "params": error.params}
    return JSONResponse(body, STATUSES.get(error.kind, 400))


async def _clock(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": f"nothing that turns on the time can be done now: {error}"}, 503)


async def _database(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"detail": "the database cannot be used now"}, 503, {"Retry-After": "2"})
