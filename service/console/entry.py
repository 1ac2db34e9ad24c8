"""The steps of a sign-in with a password: limits, the password, the code of the second factor, the session."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from dataclasses import asdict, dataclass
from functools import partial

from starlette.responses import Response

from inkgate.service.console.directory import Directory, DirectoryError
from inkgate.service.console.page_request import FORM_COOKIE, SESSION_COOKIE, PageRequest, visit_of
from inkgate.service.console.parts import lifetime, lock_of
from inkgate.service.console.render import go, render, set_cookie
from inkgate.service.errors import ConfigurationError
from inkgate.service.permissions import Role
from inkgate.service.users import factor, repository, throttle
from inkgate.service.users import service as users
from inkgate.service.users.grants import Grant, grant_of
from inkgate.service.users.models import UserRow

STEP_COOKIE = "inkgate_step"
STEP_CONTEXT = "console.second-step"
MAX_STEP_SECONDS = 300  # between the password and the code

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What the browser keeps, encrypted, between the password and the code of the second factor.

    `fingerprint` is that of the password's hash: a password changed meanwhile makes the step invalid.
    """

    login: str
    fingerprint: str
    method: str
    next: str
    begun: float
    roles: list[str] | None = None  # that the groups of the directory give


async def enter(page_request: PageRequest, login: str, password: str, where: str) -> Response:
    """Sign in with a password: start a session, ask for the code of the second factor, or show the form again."""
    wait = await _register(page_request, login)
    if wait:
        return _too_many(page_request, login, where, wait)
    parts = page_request.parts
    async with page_request.reading() as unit:
        proof = await users.password_proof(unit.session, parts.passwords, login, password)
        user = await repository.user_named(unit.session, login)
        now = await unit.now()
    ready = user is not None and proof is not None and user.disabled_at is None and not users.is_locked(user, now)
    if proof is None and parts.directory is not None and _is_of_directory(user):
        return await _enter_by_directory(page_request, parts.directory, login, password, where)
    if user is not None and ready and user.factor_at is not None:
        return _ask_for_code(page_request, user, users.PASSWORD, where)
    async with page_request.begin() as unit:
        token = await users.sign_in(
            unit, login, proof, lifetime(parts), lock=lock_of(parts), visit=visit_of(page_request)
        )
    if token is None:
        return render(page_request, "login.html", 422, login=login, next=where, problem=_wrong(page_request))
    return await begin_session(page_request, login, token, where)


def _is_of_directory(user: UserRow | None) -> bool:
    """Whether the directory knows the password: of users without one here, also an initial one never used."""
    return user is None or user.must_change or user.password_hash == users.NO_PASSWORD


async def _enter_by_directory(
    page_request: PageRequest, directory: Directory, login: str, password: str, where: str
) -> Response:
    parts = page_request.parts
    async with page_request.reading() as unit:
        user = await repository.user_named(unit.session, login)
        locked = user is not None and users.is_locked(user, await unit.now())
    try:
        person = None if locked else await directory.authenticate(login, password)
    except DirectoryError as error:
        log.warning("sign-in through the directory failed: %s", error)
        said = page_request.translate("目录服务暂时不可用，请稍后再试。")
        return render(page_request, "login.html", 503, login=login, next=where, problem=said)
    if person is None:
        async with page_request.begin() as unit:
            await users.record_failure(unit, login, lock_of(parts), by=users.LDAP)
        return render(page_request, "login.html", 422, login=login, next=where, problem=_wrong(page_request))
    grant = grant_of(person.groups, parts.settings.ldap.roles, create=parts.settings.ldap.create)
    if user is not None and user.factor_at is not None:
        return _ask_for_code(page_request, user, users.LDAP, where, grant)
    async with page_request.begin() as unit:
        token = await users.sign_in_by_provider(
            unit,
            login,
            lifetime(parts),
            method=users.LDAP,
            lock=lock_of(parts),
            visit=visit_of(page_request),
            grant=grant,
        )
    if token is None:
        said = page_request.translate("目录已确认身份，但此处没有对应的可用用户或角色，请联系运营人员。")
        return render(page_request, "login.html", 422, login=login, next=where, problem=said)
    return await begin_session(page_request, login, token, where)


async def enter_code(page_request: PageRequest, code: str) -> Response:
    """The second step of a sign-in: start a session if the code is right, else ask again."""
    step = _step(page_request)
    if step is None:
        return go(page_request, "/login")
    wait = await _register(page_request, step.login)
    if wait:
        return _too_many(page_request, step.login, step.next, wait)
    parts = page_request.parts
    async with page_request.reading() as unit:
        user = await repository.user_named(unit.session, step.login)
    if user is None or not hmac.compare_digest(_fingerprint(user), step.fingerprint):
        return go(page_request, "/login")
    second = partial(factor.accept, vault=parts.vault, code=code)
    async with page_request.begin() as unit:
        if step.method == users.PASSWORD:
            token = await users.sign_in(
                unit,
                user.login,
                user.password_hash,
                lifetime(parts),
                lock=lock_of(parts),
                visit=visit_of(page_request),
                second=second,
            )
        else:
            token = await users.sign_in_by_provider(
                unit,
                user.login,
                lifetime(parts),
                method=step.method,
                lock=lock_of(parts),
                visit=visit_of(page_request),
                second=second,
                grant=None if step.roles is None else Grant(tuple(Role(each) for each in step.roles)),
            )
    if token is None:
        return render(page_request, "login_code.html", 422, problem=_wrong_code(page_request))
    return await begin_session(page_request, step.login, token, step.next)


async def begin_session(page_request: PageRequest, login: str, token: str, where: str) -> Response:
    """The answer that sets the session cookie; the previous session of this browser ends."""
    await _forgive(page_request, login)
    if page_request.signed_in:
        async with page_request.begin() as unit:
            await users.sign_out(unit, page_request.request.cookies[SESSION_COOKIE])
    answer = go(page_request, where or "/")
    set_cookie(page_request, answer, SESSION_COOKIE, token)
    for cookie in (FORM_COOKIE, STEP_COOKIE):
        answer.delete_cookie(cookie, path=page_request.root or "/")
    return answer


def _ask_for_code(
    page_request: PageRequest, user: UserRow, method: str, where: str, grant: Grant | None = None
) -> Response:
    roles = None if grant is None else [role.value for role in grant.roles]
    step = Step(user.login, _fingerprint(user), method, where, time.time(), roles)
    sealed = page_request.parts.vault.seal(json.dumps(asdict(step)).encode(), STEP_CONTEXT)
    answer = render(page_request, "login_code.html")
    days = MAX_STEP_SECONDS / 86400
    set_cookie(page_request, answer, STEP_COOKIE, base64.urlsafe_b64encode(sealed).decode(), days=days)
    return answer


def _step(page_request: PageRequest) -> Step | None:
    """The step of this browser; None when it has none, or one that is forged or too old."""
    try:
        sealed = base64.urlsafe_b64decode(page_request.request.cookies.get(STEP_COOKIE, ""))
        step = Step(**json.loads(page_request.parts.vault.open(sealed, STEP_CONTEXT)))
    except (binascii.Error, ValueError, TypeError, ConfigurationError):
        return None
    return step if 0 <= time.time() - step.begun <= MAX_STEP_SECONDS else None


def _fingerprint(user: UserRow) -> str:
    return hashlib.sha256(f"{user.id}:{user.password_hash}".encode()).hexdigest()


async def _register(page_request: PageRequest, login: str) -> int:
    """Count an attempt of the address and the login. Returns the seconds to wait, 0 if it may proceed."""
    access = page_request.parts.settings.access
    limits = (access.address_attempts, access.name_attempts)
    async with page_request.begin() as unit:
        network = throttle.network_of(page_request.client_address)
        refusal = await throttle.register(unit, network, repository.login_key(login), limits)
    return refusal.seconds if refusal is not None else 0


async def _forgive(page_request: PageRequest, login: str) -> None:
    """A sign-in that succeeded was no failure; with a second factor both of its steps were counted."""
    steps = 2 if STEP_COOKIE in page_request.request.cookies else 1
    async with page_request.begin() as unit:
        network = throttle.network_of(page_request.client_address)
        await throttle.forgive(unit, network, repository.login_key(login), steps)


def _too_many(page_request: PageRequest, login: str, where: str, wait: int) -> Response:
    said = page_request.translate("登录尝试过于频繁，请在 {minutes} 分钟后再试。", minutes=-(-wait // 60))
    answer = render(page_request, "login.html", 429, login=login, next=where, problem=said)
    answer.headers["retry-after"] = str(wait)
    return answer


def _wrong(page_request: PageRequest) -> str:
    access = page_request.parts.settings.access
    return page_request.translate(
        "登录名或密码不正确。连续输错 {n} 次将锁定 {minutes} 分钟。",
        n=access.lock_after,
        minutes=f"{access.lock_minutes:g}",
    )


def _wrong_code(page_request: PageRequest) -> str:
    access = page_request.parts.settings.access
    return page_request.translate(
        "验证码不正确或已用过。连续输错 {n} 次将锁定 {minutes} 分钟。",
        n=access.lock_after,
        minutes=f"{access.lock_minutes:g}",
    )
