"""First-run set-up, signing in and out, changing the password, language and theme."""

from __future__ import annotations

import secrets
from datetime import timedelta
from ipaddress import ip_address

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.client_ip import client_ip
from inkgate.service.console.catalogue import LANGUAGES
from inkgate.service.console.notices import explain
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.console.visit import (
    FORM_COOKIE,
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    THEME_COOKIE,
    THEMES,
    Anyone,
    Missing,
    Signed,
    Visit,
    lifetime,
)
from inkgate.service.errors import Misuse
from inkgate.service.settings import MAX_SETUP_CODE
from inkgate.service.users import repository
from inkgate.service.users import service as users

router = APIRouter()
FRESH = timedelta(minutes=5)
PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")
"""Whoever sends one of these speaks for somebody else, wherever the connection comes from."""


@router.get("/setup")
async def setup_page(visit: Anyone) -> Response:
    """The form that makes the first operator; gone once there is a user."""
    await _only_when_fresh(visit)
    return render(visit, "setup.html", login="", code_needed=not _from_this_machine(visit))


@router.post("/setup")
async def setup(visit: Anyone) -> Response:
    await _only_when_fresh(visit)
    login, password = visit.text("login", 64), _password(visit, "password")
    needed = not _from_this_machine(visit)

    def again(problem: str, status: int = 422) -> Response:
        return render(visit, "setup.html", status, login=login, code_needed=needed, problem=problem)

    if needed:
        forwarded = visit.request.headers.get("x-forwarded-for", "")
        wait = visit.parts.attempts.wait(client_ip(_peer(visit), forwarded, visit.parts.trusted))
        if wait:
            said = visit.words("尝试次数过多，请在 {minutes} 分钟后再试，或在本机上初始化。", minutes=-(-wait // 60))
            late = again(said, 429)
            late.headers["retry-after"] = str(wait)
            return late
        if not _code_fits(visit):
            return again(visit.words("初始化口令不正确。它是设置 INKGATE_CONSOLE__SETUP_CODE 的值。"))
    try:
        hashed = await visit.parts.passwords.new(password, login)
        async with visit.begin() as unit:
            await users.create_first_operator(unit, login, hashed)
    except Misuse as problem:
        return again(explain(visit.words, problem))
    return await _enter(visit, login, password, "/?done=welcome")


def _code_fits(visit: Visit) -> bool:
    """Whether the form has the set-up code; compared as bytes, since text that is not ASCII cannot be compared in
    constant time."""
    code = visit.parts.settings.console.setup_code
    given = visit.text("code", MAX_SETUP_CODE + 1).encode("utf-8", "replace")
    return code is not None and secrets.compare_digest(code.get_secret_value().encode(), given)


@router.get("/login")
async def login_page(visit: Anyone) -> Response:
    if visit.signed_in:
        return go(visit, "/")
    async with visit.reading() as unit:
        if not await repository.has_users(unit.session):
            return go(visit, "/setup")
    return render(visit, "login.html", login="", next=next_of(visit.request.query_params.get("next", "")))


@router.post("/login")
async def login(visit: Anyone) -> Response:
    return await _enter(visit, visit.text("login", 64), _password(visit, "password"), next_of(visit.text("next")))


@router.post("/logout")
async def logout(visit: Signed) -> Response:
    async with visit.begin() as unit:
        await users.sign_out(unit, visit.request.cookies[SESSION_COOKIE])
    answer = go(visit, "/login")
    answer.delete_cookie(SESSION_COOKIE, path=visit.root or "/")
    return answer


@router.get("/password")
async def password_page(visit: Signed) -> Response:
    return render(visit, "password.html")


@router.post("/password")
async def change_password(visit: Signed) -> Response:
    assert visit.signed_in is not None
    new = _password(visit, "new")
    if new != _password(visit, "again"):
        return render(visit, "password.html", 422, problem=visit.words("两次输入的新密码不一致。"))
    if not await prove(visit, _password(visit, "password")):
        wrong = visit.words("密码不正确，或已连续输错多次被锁定 15 分钟。")
        return render(visit, "password.html", 422, problem=wrong)
    try:
        hashed = await visit.parts.passwords.new(new, visit.login)
        async with visit.begin() as unit:
            await users.change_password(unit, visit.signed_in, hashed)
    except Misuse as problem:
        return render(visit, "password.html", 422, problem=explain(visit.words, problem))
    return go(visit, "/", "password")


@router.post("/preferences")
async def preferences(visit: Anyone) -> Response:
    """Language and theme, kept in cookies for a year."""
    answer = go(visit, next_of(visit.text("next")) or "/")
    language, theme = visit.text("language"), visit.text("theme")
    if language in LANGUAGES:
        set_cookie(visit, answer, LANGUAGE_COOKIE, language, days=365)
    if theme in THEMES:
        set_cookie(visit, answer, THEME_COOKIE, theme, days=365)
    return answer


async def prove(visit: Visit, password: str) -> bool:
    """Check the password of the user who is signed in, before a secret is shown or changed. With a provider, having
    signed in within the last five minutes is as good: its users have no password here."""
    assert visit.signed_in is not None
    if not password and visit.parts.provider is not None:
        async with visit.reading() as unit:
            return await unit.now() - visit.signed_in.proved_at < FRESH
    async with visit.reading() as unit:
        proof = await users.password_proof(unit.session, visit.parts.passwords, visit.login, password)
    async with visit.begin() as unit:
        return await users.confirm_password(unit, visit.signed_in, proof)


async def _enter(visit: Visit, login: str, password: str, where: str) -> Response:
    async with visit.reading() as unit:
        proof = await users.password_proof(unit.session, visit.parts.passwords, login, password)
    async with visit.begin() as unit:
        token = await users.sign_in(unit, login, proof, lifetime(visit.parts))
    if token is None:
        wrong = visit.words("登录名或密码不正确。连续输错 5 次将锁定 15 分钟。")
        return render(visit, "login.html", 422, login=login, next=where, problem=wrong)
    if visit.signed_in:  # the session of before ends with its token
        async with visit.begin() as unit:
            await users.sign_out(unit, visit.request.cookies[SESSION_COOKIE])
    answer = go(visit, where or "/")
    set_cookie(visit, answer, SESSION_COOKIE, token)
    answer.delete_cookie(FORM_COOKIE, path=visit.root or "/")
    return answer


async def _only_when_fresh(visit: Visit) -> None:
    async with visit.reading() as unit:
        if await repository.has_users(unit.session):
            raise Missing


def _from_this_machine(visit: Visit) -> bool:
    """Whether the browser runs on this machine: a loopback peer, and no proxy that speaks for somebody else."""
    if any(name in visit.request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ip_address(_peer(visit)).is_loopback
    except ValueError:
        return False


def _peer(visit: Visit) -> str:
    """The address at the other end of the connection, "" when it has none."""
    client = visit.request.client
    return client.host if client is not None else ""


def _password(visit: Visit, name: str) -> str:
    """A password as typed: blanks count."""
    value = visit.form.get(name, "")
    return value[:1024] if isinstance(value, str) else ""


def next_of(path: str) -> str:
    """A page of ours to go on to, or nothing: no other site, no scheme."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and len(path) < 200 else ""
