"""单点登录: sign-in or re-authentication through the OpenID Connect provider."""

from __future__ import annotations

import base64
import binascii
import logging
import secrets

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from inkgate.service.console.oidc import LoginAttempt, OidcError, Provider
from inkgate.service.console.pages.sign_in import next_of
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.console.visit import FORM_COOKIE, SESSION_COOKIE, Anyone, Missing, Visit, lifetime
from inkgate.service.errors import ConfigurationError
from inkgate.service.users import service as users

router = APIRouter()
ATTEMPT_COOKIE = "inkgate_attempt"
CONTEXT = "console.oidc"

log = logging.getLogger(__name__)


@router.get("/oidc")
async def start(visit: Anyone, next: str = "", again: str = "") -> Response:
    """Redirect to the provider. `again` requires re-authentication there."""
    attempt = LoginAttempt.new(next_of(next) or "/", again=bool(again))
    try:
        where = await _provider(visit).start(attempt, _redirect(visit))
    except OidcError as error:
        return _failed(visit, error)
    answer = RedirectResponse(where, 303)
    sealed = visit.parts.vault.seal(attempt.pack(), CONTEXT)
    set_cookie(visit, answer, ATTEMPT_COOKIE, base64.urlsafe_b64encode(sealed).decode(), days=1 / 96)
    return answer


@router.get("/oidc/back")
async def back(visit: Anyone, code: str = "", state: str = "", error: str = "") -> Response:
    """Callback of the provider: verify its response and start a session."""
    provider = _provider(visit)
    try:
        attempt = _attempt(visit)
        if error or not code or not secrets.compare_digest(state.encode(), attempt.state.encode()):
            raise OidcError(f"the provider refused ({error[:64]!r}), or the browser brought another attempt")
        login = await provider.finish(attempt, _redirect(visit), code)
    except OidcError as problem:
        return _failed(visit, problem)
    if attempt.again and login != visit.login:
        return _failed(visit, OidcError("another user authenticated"))
    async with visit.begin() as unit:
        token = await users.sign_in_by_provider(unit, login, lifetime(visit.parts))
        if token is not None and visit.signed_in:
            await users.sign_out(unit, visit.request.cookies[SESSION_COOKIE])
    if token is None:
        return _failed(visit, OidcError(f"no user {login!r} may sign in here"), known=True)
    answer = go(visit, attempt.next)
    set_cookie(visit, answer, SESSION_COOKIE, token)
    for cookie in (ATTEMPT_COOKIE, FORM_COOKIE):
        answer.delete_cookie(cookie, path=visit.root or "/")
    return answer


def _provider(visit: Visit) -> Provider:
    if visit.parts.identity_provider is None:
        raise Missing
    return visit.parts.identity_provider


def _attempt(visit: Visit) -> LoginAttempt:
    try:
        sealed = base64.urlsafe_b64decode(visit.request.cookies.get(ATTEMPT_COOKIE, ""))
        return LoginAttempt.unpack(visit.parts.vault.open(sealed, CONTEXT))
    except (binascii.Error, ValueError, TypeError, ConfigurationError) as error:
        raise OidcError("the browser brought no attempt of ours") from error


def _redirect(visit: Visit) -> str:
    """The redirect URI of this console as the browser sees it; it is registered at the provider."""
    url = visit.request.url
    scheme = visit.request.headers.get("x-forwarded-proto", url.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{url.netloc}{visit.root}/oidc/back"


def _failed(visit: Visit, error: OidcError, *, known: bool = False) -> Response:
    log.warning("single sign-on failed: %s", error)
    _ = visit.words
    problem = _("单点登录失败，请重试或联系运营人员。")
    if known:
        problem = _("单点登录成功，但此处没有对应的可用用户，请联系运营人员。")
    answer = render(visit, "login.html", 422, login="", next="", problem=problem)
    answer.delete_cookie(ATTEMPT_COOKIE, path=visit.root or "/")
    return answer
