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
from inkgate.service.admin import accounts, billing, reports
from inkgate.service.admin.access import House
from inkgate.service.contract.headers import Surface
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.header_middleware import RepeatedHeaderMiddleware
from inkgate.service.messages import Kind
from inkgate.service.settings import Settings

PATH = "/admin/v1"
BODY_BYTES = 64 * 1024  # hundreds of times what any request needs; the body is read and parsed before the token is


ROUTERS = (accounts.router, billing.router, reports.router)
MOST_FAULTS = 20  # that an answer lists


class Refusal(BaseModel):
    """Why a request was not done, in one line."""

    detail: str


class Problem(Refusal):
    """The same with the stable code of the problem and the values that the line names, for programs."""

    code: str
    params: dict[str, str | int | float | list[str]]


STATUSES: Mapping[Kind, int] = {Kind.NOT_FOUND: 404, Kind.CONFLICT: 409, Kind.FORBIDDEN: 403}
"""What a problem is answered with; every other kind is 400."""


REFUSALS: Mapping[int | str, dict[str, Any]] = {
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
    413: {"description": f"The body has more than {BODY_BYTES // 1024} KiB; plain text."},
    503: {"description": "The database cannot be used now.", "model": Refusal},
}


def create_admin(engine: AsyncEngine, vault: Vault, settings: Settings, clock: Clock = database_clock) -> FastAPI:
    """The application. Its description is at /openapi.json below where it is mounted; it needs no token."""
    app = FastAPI(
        title="InkGate admin API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses=dict(REFUSALS),
        max_body_size=BODY_BYTES,
    )
    app.state.house = House(engine, vault, settings, clock)
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
    """FastAPI's answer to a body that its parser gave up on, as one that is nested too deep."""
    return await _misuse(request, Misuse("request.body_unreadable"))


async def _unknown_address(request: Request, _error: Exception) -> Response:
    return await _misuse(request, Misuse("request.address_unknown"))


async def _wrong_method(request: Request, _error: Exception) -> Response:
    """Starlette names the methods of one route; a path may have several."""
    methods: set[str] = set()
    for route in (route for router in ROUTERS for route in router.routes):
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(sorted(methods))})


async def _malformed(_request: Request, error: Exception) -> Response:
    """Where and why a request is not what the description says; not what it was, which JSON may be unable to hold."""
    assert isinstance(error, RequestValidationError)
    found = [
        {"type": each["type"], "loc": [_shown(part) for part in each["loc"]], "msg": _shown(each["msg"])}
        for each in error.errors()[:MOST_FAULTS]
    ]
    return JSONResponse({"detail": found}, 422)


def _shown(part: object) -> object:
    """A name or an index; of a long name the beginning, of a name that is no text what can be told."""
    return part if isinstance(part, int) else str(part)[:200].encode("utf-8", "replace").decode()


async def _misuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Misuse)
    body = {"detail": str(error), "code": error.code, "params": error.params}
    return JSONResponse(body, STATUSES.get(error.kind, 400))


async def _clock(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": f"nothing that turns on the time can be done now: {error}"}, 503)


async def _database(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"detail": "the database cannot be used now"}, 503, {"Retry-After": "2"})
