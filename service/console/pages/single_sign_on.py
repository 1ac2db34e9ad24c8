"""单点登录: sign-in or re-authentication through the OpenID Connect provider."""

from __future__ import annotations

import base64
import binascii
import logging
import secrets

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from inkgate.service.console.oidc import LoginAttempt, OidcError, Provider
from inkgate.service.console.page_request import (
    FORM_COOKIE,
    SESSION_COOKIE,
    AnyRequest,
    NotFound,
    PageRequest,
    visit_of,
)
from inkgate.service.console.parts import lifetime
from inkgate.service.console.places import next_of
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.errors import ConfigurationError
from inkgate.service.users import service as users
from inkgate.service.users.grants import grant_of

router = APIRouter()
ATTEMPT_COOKIE = "inkgate_attempt"
CONTEXT = "console.oidc"

log = logging.getLogger(__name__)


@router.get("/oidc")
async def start(page_request: AnyRequest, next: str = "", again: str = "") -> Response:
    """Redirect to the provider. `again` requires re-authentication there."""
    attempt = LoginAttempt.new(next_of(next) or "/", again=bool(again))
    try:
        where = await _provider(page_request).start(attempt, _redirect(page_request))
    except OidcError as error:
        return _failed(page_request, error)
    answer = RedirectResponse(where, 303)
    sealed = page_request.parts.vault.seal(attempt.pack(), CONTEXT)
    set_cookie(page_request, answer, ATTEMPT_COOKIE, base64.urlsafe_b64encode(sealed).decode(), days=1 / 96)
    return answer


@router.get("/oidc/back")
async def back(page_request: AnyRequest, code: str = "", state: str = "", error: str = "") -> Response:
    """Callback of the provider: verify its response and start a session."""
    provider = _provider(page_request)
    try:
        attempt = _attempt(page_request)
        if error or not code or not secrets.compare_digest(state.encode(), attempt.state.encode()):
            raise OidcError(f"the provider refused ({error[:64]!r}), or the browser brought another attempt")
        identity = await provider.finish(attempt, _redirect(page_request), code)
    except OidcError as problem:
        await _record_failed(page_request, "provider")
        return _failed(page_request, problem)
    login, oidc = identity.login, page_request.parts.settings.oidc
    if attempt.again and login != page_request.login:
        await _record_failed(page_request, "another user")
        return _failed(page_request, OidcError("another user authenticated"))
    async with page_request.begin() as unit:
        token = await users.sign_in_by_provider(
            unit,
            login,
            lifetime(page_request.parts),
            visit=visit_of(page_request),
            grant=grant_of(identity.groups, oidc.roles, create=oidc.create),
        )
        if token is not None and page_request.signed_in:
            await users.sign_out(unit, page_request.request.cookies[SESSION_COOKIE])
    if token is None:
        return _failed(page_request, OidcError(f"no user {login!r} may sign in here"), known=True)
    answer = go(page_request, attempt.next)
    set_cookie(page_request, answer, SESSION_COOKIE, token)
    for cookie in (ATTEMPT_COOKIE, FORM_COOKIE):
        answer.delete_cookie(cookie, path=page_request.root or "/")
    return answer


def _provider(page_request: PageRequest) -> Provider:
    if page_request.parts.identity_provider is None:
        raise NotFound
    return page_request.parts.identity_provider


def _attempt(page_request: PageRequest) -> LoginAttempt:
    try:
        sealed = base64.urlsafe_b64decode(page_request.request.cookies.get(ATTEMPT_COOKIE, ""))
        return LoginAttempt.unpack(page_request.parts.vault.open(sealed, CONTEXT))
    except (binascii.Error, ValueError, TypeError, ConfigurationError) as error:
        raise OidcError("the browser brought no attempt of ours") from error


def _redirect(page_request: PageRequest) -> str:
    """The redirect URI of this console as the browser sees it; it is registered at the provider."""
    url = page_request.request.url
    scheme = page_request.request.headers.get("x-forwarded-proto", url.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{url.netloc}{page_request.root}/oidc/back"


async def _record_failed(page_request: PageRequest, reason: str) -> None:
    await page_request.record("user.login", "unknown user", result="failed", reason=reason, by="provider")


def _failed(page_request: PageRequest, error: OidcError, *, known: bool = False) -> Response:
    log.warning("single sign-on failed: %s", error)
    _ = page_request.translate
    problem = _("单点登录失败，请重试或联系运营人员。")
    if known:
        problem = _("单点登录成功，但此处没有对应的可用用户，请联系运营人员。")
    answer = render(page_request, "login.html", 422, login="", next="", problem=problem)
    answer.delete_cookie(ATTEMPT_COOKIE, path=page_request.root or "/")
    return answer
