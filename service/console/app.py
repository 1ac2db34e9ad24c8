"""The console as one ASGI application: pages, static files, headers, and what to do when a page cannot be shown."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkgate.service import __version__
from inkgate.service.console.pages import PAGES
from inkgate.service.console.parts import Parts
from inkgate.service.console.render import assets, render
from inkgate.service.console.visit import (
    FORM_BYTES,
    Forbidden,
    Malformed,
    Missing,
    PasswordChangeNeeded,
    SignInNeeded,
    anyone,
)
from inkgate.service.contract.headers import Surface
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.header_middleware import RepeatedHeaderMiddleware
from inkgate.service.messages import Kind

UPLOAD_BYTES = 3 * 1024 * 1024  # a picture of 2 MB (manual 7.4) and the form around it
PACKED = 5  # of nine
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


def create_console(parts: Parts) -> FastAPI:
    """The application, to be mounted at /console or served alone. The parts are closed by whoever made them."""
    app = FastAPI(title="InkGate console", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    for router in PAGES:
        app.include_router(router)
    app.add_api_route("/static/{digest}/{name:path}", _static, include_in_schema=False)
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(PasswordChangeNeeded, _change_password)
    app.add_exception_handler(Forbidden, _refuse)
    app.add_exception_handler(Missing, _refuse)
    app.add_exception_handler(Malformed, _refuse)
    app.add_exception_handler(Misuse, _refuse)
    app.add_exception_handler(404, _refuse)
    app.add_exception_handler(ClockSuspect, _clock)
    app.add_middleware(GZipMiddleware, compresslevel=PACKED)
    app.add_middleware(RepeatedHeaderMiddleware, surface=Surface.CONSOLE)
    app.add_middleware(Guard)
    return app


STATUSES = {Forbidden: 403, Malformed: 400, Misuse: 422}
"""What a refused page is answered with; everything else is not there."""


class Guard:
    """Sets the security headers of every answer; refuses bodies that are too large or of unknown size, and addresses
    with a NUL in them, which no column takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *HEADERS]
                if b"cache-control" not in names:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            await Response("", 400)(scope, receive, send_guarded)
            return
        if scope["method"] not in ("GET", "HEAD"):
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not length.isdigit() or int(length) > _most(scope):
                await Response("", 413)(scope, receive, send_guarded)
                return
        await self._app(scope, receive, send_guarded)


def _most(scope: Scope) -> int:
    """Bytes that a body may have: only one with a file in it is large."""
    kind = dict(scope["headers"]).get(b"content-type", b"")
    return UPLOAD_BYTES if kind.strip().lower().startswith(b"multipart/form-data") else FORM_BYTES


async def _static(request: Request, digest: str, name: str) -> Response:
    return assets().answer(request, digest, name)


async def _sign_in(request: Request, _error: Exception) -> Response:
    root = request.scope.get("root_path", "")
    here = request.url.path.removeprefix(root)
    wanted = f"?next={quote(here)}" if request.method == "GET" and here != "/" else ""
    if "hx-request" in request.headers:  # a fragment cannot show the login page; htmx loads the whole one
        return Response(status_code=204, headers={"hx-redirect": f"{root}/login"})
    return RedirectResponse(f"{root}/login{wanted}", 303)


async def _change_password(request: Request, _error: Exception) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/password", 303)


async def _refuse(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 404)
    if isinstance(error, Misuse) and error.kind is Kind.NOT_FOUND:
        status = 404
    if request.method == "POST":
        request = Request({**request.scope, "method": "GET"})  # the form has been read and refused
    return render(await anyone(request), "refused.html", status, clock=False)


async def _clock(request: Request, _error: Exception) -> Response:
    """What turns on the time, as the state of a pack, cannot be said or done."""
    if request.method == "POST":
        request = Request({**request.scope, "method": "GET"})  # the form has been read
    return render(await anyone(request), "refused.html", 503, clock=True)
