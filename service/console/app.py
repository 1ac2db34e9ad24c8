"""The console as one ASGI application: pages, static files, security headers and error pages."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkgate.service import __version__
from inkgate.service.console.demo_links import DemoLinks, routes
from inkgate.service.console.enforcement import enforce
from inkgate.service.console.form_reading import FORM_BYTES
from inkgate.service.console.forms import FormAnswered, FormMiddleware
from inkgate.service.console.notices import explain
from inkgate.service.console.page_errors import (
    Forbidden,
    Malformed,
    NotFound,
    PasswordChangeRequired,
    SecondFactorRequired,
    SignInRequired,
    StaleForm,
)
from inkgate.service.console.page_request import any_request, language_of
from inkgate.service.console.pages import PAGES
from inkgate.service.console.parts import ConsoleDependencies
from inkgate.service.console.places import KEPT, nearest_page, page_behind, place
from inkgate.service.console.render import assets, render
from inkgate.service.console.translations import Translator
from inkgate.service.contract.headers import Surface
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.header_middleware import RepeatedHeaderMiddleware
from inkgate.service.messages import Kind
from inkgate.service.permissions import Permission, titles
from inkgate.service.permissions.routes import CONSOLE
from inkgate.service.users.forms import Unanswered

MAX_UPLOAD_BYTES = 3 * 1024 * 1024  # an image of 2 MB (manual 7.4) and its form
GZIP_LEVEL = 5  # of 1 to 9
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


def create_console(parts: ConsoleDependencies, demo_links: DemoLinks | None = None) -> FastAPI:
    """The application, to be mounted at /console or served alone. The caller closes `parts`. `demo_links` sign in
    without a password; only `inkgate demo` gives them."""
    app = FastAPI(title="InkGate console", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(enforce)])
    if demo_links is not None:
        app.include_router(routes(demo_links))
    app.add_api_route("/static/{digest}/{name:path}", _static, include_in_schema=False)
    app.add_exception_handler(SignInRequired, _sign_in)
    app.add_exception_handler(StaleForm, _sign_in_again)
    app.add_exception_handler(FormAnswered, _repeat_answer)
    app.add_exception_handler(Unanswered, _refuse)
    app.add_exception_handler(PasswordChangeRequired, _change_password)
    app.add_exception_handler(SecondFactorRequired, _set_up_factor)
    app.add_exception_handler(Forbidden, _refuse)
    app.add_exception_handler(NotFound, _refuse)
    app.add_exception_handler(Malformed, _refuse)
    app.add_exception_handler(Misuse, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(404, _refuse)
    app.add_exception_handler(400, _refuse_briefly)
    app.add_exception_handler(405, _refuse_briefly)
    app.add_exception_handler(ClockSuspect, _clock)
    app.add_middleware(FormMiddleware)
    app.add_middleware(GZipMiddleware, compresslevel=GZIP_LEVEL)
    app.add_middleware(RepeatedHeaderMiddleware, surface=Surface.CONSOLE)
    app.add_middleware(SecurityMiddleware)
    return app


STATUSES = {Forbidden: 403, Malformed: 400, RequestValidationError: 400, Misuse: 422, Unanswered: 409}
"""Status of a refused page; every other error is 404."""


class SecurityMiddleware:
    """Sets the security headers of every response. Rejects bodies that are too large or of unknown size, and
    addresses with a NUL, which no column accepts."""

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
            if not length.isdigit() or int(length) > _max_body_bytes(scope):
                await _too_large(scope)(scope, receive, send_guarded)
                return
        await self._app(scope, receive, send_guarded)


def _too_large(scope: Scope) -> Response:
    _ = Translator(language_of(Request(scope)))
    return PlainTextResponse(_("请求超过 {n} KiB，没有接收。", n=_max_body_bytes(scope) // 1024), 413)


def _max_body_bytes(scope: Scope) -> int:
    """Maximum body size in bytes: the larger limit applies to forms with a file."""
    kind = dict(scope["headers"]).get(b"content-type", b"")
    return MAX_UPLOAD_BYTES if kind.strip().lower().startswith(b"multipart/form-data") else FORM_BYTES


async def _static(request: Request, digest: str, name: str) -> Response:
    return assets().answer(request, digest, name)


async def _sign_in(request: Request, _error: Exception) -> Response:
    root = request.scope.get("root_path", "")
    here = request.url.path.removeprefix(root)
    if request.method != "GET":
        here = page_behind(request, done=KEPT)
    elif "hx-request" in request.headers:
        here = page_behind(request)
    elif nearest_page(here) == here:
        here = place(here, request.url.query)
    wanted = f"?next={quote(here)}" if here not in ("", "/") else ""
    return _load(request, f"{root}/login{wanted}")


async def _sign_in_again(request: Request, error: Exception) -> Response:
    """To the page of the form, over the sign-in where there is no session; its script puts back what was typed."""
    assert isinstance(error, StaleForm)
    root = request.scope.get("root_path", "")
    page = nearest_page(error.page.partition("?")[0])
    public = CONSOLE.get(("GET", page)) is Permission.ANYONE
    if error.signed_in or public:
        return _load(request, f"{root}{error.page}")
    return _load(request, f"{root}/login?next={quote(error.page)}")


def _load(request: Request, location: str) -> Response:
    """The answer that loads a page. A fragment cannot show it; htmx loads the full page."""
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"hx-redirect": location})
    return RedirectResponse(location, 303)


async def _repeat_answer(_request: Request, error: Exception) -> Response:
    assert isinstance(error, FormAnswered)
    return RedirectResponse(error.location, 303)


async def _change_password(request: Request, _error: Exception) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/password", 303)


async def _set_up_factor(request: Request, _error: Exception) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/second-factor", 303)


async def _refuse(request: Request, error: Exception) -> Response:
    """An error page; a refused permission is recorded in the audit trail."""
    method = request.method
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 404)
    if isinstance(error, Misuse) and error.kind is Kind.NOT_FOUND:
        status = 404
    if request.method == "POST":
        request = Request({**request.scope, "method": "GET"})  # the form has been read and refused
    refused = error.permission if isinstance(error, Forbidden) else None
    page_request = await any_request(request)
    if isinstance(error, Forbidden):
        route = request.scope.get("route")  # not the path: it may hold a key
        where = f"{method} {getattr(route, 'path', 'unknown page')}"
        detail = {"permission": refused.value} if refused else {}
        await page_request.record("access.refuse", where, page_request.signed_in_account, result="refused", **detail)
    missing = titles.permission(refused, page_request.translate.language) if refused else ""
    said = ""
    if isinstance(error, Misuse) and status != 404:
        said = explain(page_request.translate, error)
    elif isinstance(error, Unanswered):
        said = page_request.translate("同样的表单已提交，尚无结果。请先查看结果，不要重复提交。")
    return render(page_request, "refused.html", status, clock=False, missing=missing, said=said)


async def _refuse_briefly(request: Request, error: Exception) -> Response:
    """One line for a form that cannot be read, or a method that the address does not have: no page sends these."""
    _ = Translator(language_of(request))
    if isinstance(error, HTTPException) and error.status_code == 400:
        return PlainTextResponse(_("表单无法读取：字段或文件过多、过大，或格式不正确。"), 400)
    return PlainTextResponse(_("此地址不接受 {method} 请求。", method=request.method), 405)


async def _clock(request: Request, _error: Exception) -> Response:
    """503 for pages that depend on a trusted time, such as the state of a pack, while the clock is suspect."""
    if request.method == "POST":
        request = Request({**request.scope, "method": "GET"})  # the form has been read
    return render(await any_request(request), "refused.html", 503, clock=True, missing="", said="")
