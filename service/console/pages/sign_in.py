"""First-run set-up, sign-in and sign-out, change of password, language and theme."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from functools import partial
from ipaddress import ip_address

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.directory import DirectoryError
from inkgate.service.console.entry import enter, enter_code
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import (
    LANGUAGE_COOKIE,
    SESSION_COOKIE,
    THEME_COOKIE,
    THEMES,
    AnyRequest,
    NotFound,
    PageRequest,
    SignedInRequest,
)
from inkgate.service.console.parts import lock_of, password_rules
from inkgate.service.console.places import MAX_PLACE, next_of
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.console.translations import LANGUAGES
from inkgate.service.errors import Misuse
from inkgate.service.settings import MAX_SETUP_CODE
from inkgate.service.users import factor, repository, throttle
from inkgate.service.users import service as users
from inkgate.service.users.passwords import PasswordRules

router = APIRouter()
log = logging.getLogger(__name__)
MAX_PASSWORD_CHARACTERS = 1024  # hashing takes longer with each
PROOF_VALIDITY = timedelta(minutes=5)
PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")
"""Headers of a proxy: the client is not the peer of the connection."""


@router.get("/setup")
async def setup_page(page_request: AnyRequest) -> Response:
    """The form that creates the first operator. 404 once there is a user."""
    await _require_no_users(page_request)
    needed, rules = not from_this_machine(page_request), password_rules(page_request.parts)
    return render(page_request, "setup.html", login="", code_needed=needed, rules=rules)


@router.post("/setup")
async def setup(page_request: AnyRequest) -> Response:
    await _require_no_users(page_request)
    login, password = page_request.text("login", 64), password_of(page_request, "password")
    needed = not from_this_machine(page_request)

    def again(problem: str, status: int = 422) -> Response:
        rules = password_rules(page_request.parts)
        return render(page_request, "setup.html", status, login=login, code_needed=needed, problem=problem, rules=rules)

    if needed:
        async with page_request.begin() as unit:
            refusal = await throttle.register_setup(unit, throttle.network_of(page_request.client_address))
        if refusal is not None:
            said = page_request.translate(
                "尝试次数过多，请在 {minutes} 分钟后再试，或在本机上初始化。", minutes=-(-refusal.seconds // 60)
            )
            late = again(said, 429)
            late.headers["retry-after"] = str(refusal.seconds)
            return late
        if not _code_fits(page_request):
            await page_request.record("setup.code", "set-up code", result="failed")
            return again(page_request.translate("初始化口令不正确。它是设置 INKGATE_CONSOLE__SETUP_CODE 的值。"))
    try:
        hashed = await page_request.parts.passwords.new(password, login, password_rules(page_request.parts))
        async with page_request.begin() as unit:
            separate = page_request.parts.settings.access.separate_duties
            await users.create_first_operator(unit, login, hashed, separate=separate)
    except Misuse as problem:
        return again(explain(page_request.translate, problem))
    return await enter(page_request, login, password, "/?done=welcome")


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
    return await enter(
        page_request,
        page_request.text("login", 64),
        password_of(page_request, "password"),
        next_of(page_request.text("next", MAX_PLACE)),
    )


@router.post("/login/code")
async def login_code(page_request: AnyRequest) -> Response:
    """The second step of a sign-in: the code of the second factor, or a recovery code."""
    return await enter_code(page_request, page_request.text("code", 64))


@router.post("/logout")
async def logout(page_request: SignedInRequest) -> Response:
    async with page_request.begin() as unit:
        await users.sign_out(unit, page_request.request.cookies[SESSION_COOKIE])
    answer = go(page_request, "/login")
    answer.delete_cookie(SESSION_COOKIE, path=page_request.root or "/")
    return answer


@router.get("/password")
async def password_page(page_request: SignedInRequest) -> Response:
    return _render_password(page_request)


@router.post("/password")
async def change_password(page_request: SignedInRequest) -> Response:
    assert page_request.signed_in is not None
    new, rules = password_of(page_request, "new"), password_rules(page_request.parts)
    if new != password_of(page_request, "again"):
        return _render_password(page_request, page_request.translate("两次输入的新密码不一致。"))
    if not await prove(page_request, password_of(page_request, "password")):
        return _render_password(page_request, not_proved(page_request))
    try:
        before = await _passwords_before(page_request, rules)
        hashed = await page_request.parts.passwords.new(new, page_request.login, rules, before)
        async with page_request.begin() as unit:
            await users.change_password(unit, page_request.signed_in, hashed, history=rules.history)
    except Misuse as problem:
        return _render_password(page_request, explain(page_request.translate, problem))
    return go(page_request, "/", "password")


async def _passwords_before(page_request: PageRequest, rules: PasswordRules) -> list[str]:
    """The hashes of passwords that must not be used again: the current one too, where passwords have an age."""
    assert page_request.signed_in is not None
    if not rules.history and not page_request.parts.settings.access.password_days:
        return []
    user = page_request.signed_in.user
    async with page_request.reading() as unit:
        return [user.password_hash, *await repository.old_passwords(unit.session, user.id, rules.history)]


def _render_password(page_request: PageRequest, problem: str = "") -> Response:
    rules = password_rules(page_request.parts)
    return render(page_request, "password.html", 422 if problem else 200, problem=problem, rules=rules)


@router.post("/preferences")
async def preferences(page_request: AnyRequest) -> Response:
    """Set language and theme in cookies for a year."""
    answer = go(page_request, next_of(page_request.text("next", MAX_PLACE)) or "/")
    language, theme = page_request.text("language"), page_request.text("theme")
    if language in LANGUAGES:
        set_cookie(page_request, answer, LANGUAGE_COOKIE, language, days=365)
    if theme in THEMES:
        set_cookie(page_request, answer, THEME_COOKIE, theme, days=365)
    return answer


async def prove(page_request: PageRequest, password: str) -> bool:
    """Verify the password of the signed-in user, and the code of a second factor in the form field `code`, before a
    secret is shown or changed.

    With an identity provider, whose users have no password here, a sign-in within PROOF_VALIDITY suffices.
    """
    assert page_request.signed_in is not None
    parts = page_request.parts
    if not password and parts.identity_provider is not None:
        return await recently_proved(page_request)
    if page_request.signed_in.method == users.LDAP and parts.directory is not None:
        try:
            person = await parts.directory.authenticate(page_request.login, password)
        except DirectoryError as error:
            log.warning("a password cannot be checked with the directory: %s", error)
            return False
        proof = page_request.signed_in.user.password_hash if person is not None else None
    else:
        async with page_request.reading() as unit:
            proof = await users.password_proof(unit.session, parts.passwords, page_request.login, password)
    second = partial(factor.accept, vault=parts.vault, code=page_request.text("code", 64))
    async with page_request.begin() as unit:
        return await users.confirm_password(unit, page_request.signed_in, proof, lock=lock_of(parts), second=second)


async def recently_proved(page_request: PageRequest) -> bool:
    """Whether the user signed in, or entered the password again, within PROOF_VALIDITY."""
    assert page_request.signed_in is not None
    async with page_request.reading() as unit:
        return await unit.now() - page_request.signed_in.proved_at < PROOF_VALIDITY


def not_proved(page_request: PageRequest) -> str:
    """The text after `prove` has failed."""
    access = page_request.parts.settings.access
    return page_request.translate(
        "密码或验证码不正确，或已连续输错多次被锁定 {minutes} 分钟。", minutes=f"{access.lock_minutes:g}"
    )


async def _require_no_users(page_request: PageRequest) -> None:
    async with page_request.reading() as unit:
        if await repository.has_users(unit.session):
            raise NotFound


def from_this_machine(page_request: PageRequest) -> bool:
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


def password_of(page_request: PageRequest, name: str = "password") -> str:
    """A password field, not stripped. Raises Misuse above MAX_PASSWORD_CHARACTERS."""
    value = page_request.form.get(name, "")
    if not isinstance(value, str):
        return ""
    if len(value) > MAX_PASSWORD_CHARACTERS:
        raise Misuse("form.too_long", most=MAX_PASSWORD_CHARACTERS)
    return value
