"""First-run set-up, sign-in and sign-out, change of password, language and theme."""

from __future__ import annotations

import secrets
from datetime import timedelta
from ipaddress import ip_address

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.client_ip import client_ip
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    THEME_COOKIE,
    THEMES,
    AnyRequest,
    NotFound,
    PageRequest,
    SignedInRequest,
    lifetime,
)
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.console.translations import LANGUAGES
from inkgate.service.errors import Misuse
from inkgate.service.settings import MAX_SETUP_CODE
from inkgate.service.users import repository
from inkgate.service.users import service as users

router = APIRouter()
PROOF_VALIDITY = timedelta(minutes=5)
PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")
"""Headers of a proxy: the client is not the peer of the connection."""


@router.get("/setup")
async def setup_page(page_request: AnyRequest) -> Response:
    """The form that creates the first operator. 404 once there is a user."""
    await _require_no_users(page_request)
    return render(page_request, "setup.html", login="", code_needed=not _from_this_machine(page_request))


@router.post("/setup")
async def setup(page_request: AnyRequest) -> Response:
    await _require_no_users(page_request)
    login, password = page_request.text("login", 64), _password(page_request, "password")
    needed = not _from_this_machine(page_request)

    def again(problem: str, status: int = 422) -> Response:
        return render(page_request, "setup.html", status, login=login, code_needed=needed, problem=problem)

    if needed:
        forwarded = page_request.request.headers.get("x-forwarded-for", "")
        wait = page_request.parts.attempts.register(
            client_ip(_peer(page_request), forwarded, page_request.parts.trusted_proxies)
        )
        if wait:
            said = page_request.translate(
                "尝试次数过多，请在 {minutes} 分钟后再试，或在本机上初始化。", minutes=-(-wait // 60)
            )
            late = again(said, 429)
            late.headers["retry-after"] = str(wait)
            return late
        if not _code_fits(page_request):
            await page_request.record("setup.code", "set-up code", result="failed")
            return again(page_request.translate("初始化口令不正确。它是设置 INKGATE_CONSOLE__SETUP_CODE 的值。"))
    try:
        hashed = await page_request.parts.passwords.new(password, login)
        async with page_request.begin() as unit:
            await users.create_first_operator(unit, login, hashed)
    except Misuse as problem:
        return again(explain(page_request.translate, problem))
    return await _sign_in(page_request, login, password, "/?done=welcome")


def _code_fits(page_request: PageRequest) -> bool:
    """Whether the form has the set-up code. Compared as bytes: non-ASCII text cannot be compared in constant time."""
    code = page_request.parts.settings.console.setup_code
    given = page_request.text("code", MAX_SETUP_CODE + 1).encode("utf-8", "replace")
    return code is not None and secrets.compare_digest(code.get_secret_value().encode(), given)


@router.get("/login")
async def login_page(page_request: AnyRequest) -> Response:
    if page_request.signed_in:
        return go(page_request, "/")
    async with page_request.reading() as unit:
        if not await repository.has_users(unit.session):
            return go(page_request, "/setup")
    return render(page_request, "login.html", login="", next=next_of(page_request.request.query_params.get("next", "")))


@router.post("/login")
async def login(page_request: AnyRequest) -> Response:
    return await _sign_in(
        page_request,
        page_request.text("login", 64),
        _password(page_request, "password"),
        next_of(page_request.text("next")),
    )


@router.post("/logout")
async def logout(page_request: SignedInRequest) -> Response:
    async with page_request.begin() as unit:
        await users.sign_out(unit, page_request.request.cookies[SESSION_COOKIE])
    answer = go(page_request, "/login")
    answer.delete_cookie(SESSION_COOKIE, path=page_request.root or "/")
    return answer


@router.get("/password")
async def password_page(page_request: SignedInRequest) -> Response:
    return render(page_request, "password.html")


@router.post("/password")
async def change_password(page_request: SignedInRequest) -> Response:
    assert page_request.signed_in is not None
    new = _password(page_request, "new")
    if new != _password(page_request, "again"):
        return render(page_request, "password.html", 422, problem=page_request.translate("两次输入的新密码不一致。"))
    if not await prove(page_request, _password(page_request, "password")):
        wrong = page_request.translate("密码不正确，或已连续输错多次被锁定 15 分钟。")
        return render(page_request, "password.html", 422, problem=wrong)
    try:
        hashed = await page_request.parts.passwords.new(new, page_request.login)
        async with page_request.begin() as unit:
            await users.change_password(unit, page_request.signed_in, hashed)
    except Misuse as problem:
        return render(page_request, "password.html", 422, problem=explain(page_request.translate, problem))
    return go(page_request, "/", "password")


@router.post("/preferences")
async def preferences(page_request: AnyRequest) -> Response:
    """Set language and theme in cookies for a year."""
    answer = go(page_request, next_of(page_request.text("next")) or "/")
    language, theme = page_request.text("language"), page_request.text("theme")
    if language in LANGUAGES:
        set_cookie(page_request, answer, LANGUAGE_COOKIE, language, days=365)
    if theme in THEMES:
        set_cookie(page_request, answer, THEME_COOKIE, theme, days=365)
    return answer


async def prove(page_request: PageRequest, password: str) -> bool:
    """Verify the password of the signed-in user before a secret is shown or changed.

    With an identity provider, whose users have no password here, a sign-in within PROOF_VALIDITY suffices.
    """
    assert page_request.signed_in is not None
    if not password and page_request.parts.identity_provider is not None:
        async with page_request.reading() as unit:
            return await unit.now() - page_request.signed_in.proved_at < PROOF_VALIDITY
    async with page_request.reading() as unit:
        proof = await users.password_proof(unit.session, page_request.parts.passwords, page_request.login, password)
    async with page_request.begin() as unit:
        return await users.confirm_password(unit, page_request.signed_in, proof)


async def _sign_in(page_request: PageRequest, login: str, password: str, where: str) -> Response:
    async with page_request.reading() as unit:
        proof = await users.password_proof(unit.session, page_request.parts.passwords, login, password)
    async with page_request.begin() as unit:
        token = await users.sign_in(unit, login, proof, lifetime(page_request.parts))
    if token is None:
        wrong = page_request.translate("登录名或密码不正确。连续输错 5 次将锁定 15 分钟。")
        return render(page_request, "login.html", 422, login=login, next=where, problem=wrong)
    if page_request.signed_in:  # the previous session ends
        async with page_request.begin() as unit:
            await users.sign_out(unit, page_request.request.cookies[SESSION_COOKIE])
    answer = go(page_request, where or "/")
    set_cookie(page_request, answer, SESSION_COOKIE, token)
    answer.delete_cookie(FORM_COOKIE, path=page_request.root or "/")
    return answer


async def _require_no_users(page_request: PageRequest) -> None:
    async with page_request.reading() as unit:
        if await repository.has_users(unit.session):
            raise NotFound


def _from_this_machine(page_request: PageRequest) -> bool:
    """Whether the browser runs on this machine: a loopback peer and no proxy header."""
    if any(name in page_request.request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(_peer(page_request)).is_loopback
    except ValueError:
        return False


def _peer(page_request: PageRequest) -> str:
    """The peer address of the connection; "" if it has none."""
    client = page_request.request.client
    return client.host if client is not None else ""


def _password(page_request: PageRequest, name: str) -> str:
    """A password field, not stripped, cut at 1024 characters."""
    value = page_request.form.get(name, "")
    return value[:1024] if isinstance(value, str) else ""


def next_of(path: str) -> str:
    """A path of this console to redirect to; "" for another site or scheme."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and len(path) < 200 else ""
