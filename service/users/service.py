"""Operations on users and sessions. Changes are written to the audit trail, passwords and tokens are not."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Role
from inkgate.service.users import repository
from inkgate.service.users.administration import fitting_role, grant_role, keep_an_administrator
from inkgate.service.users.grants import Grant
from inkgate.service.users.models import CUSTOMER, OPERATOR, SessionRow, UserRow
from inkgate.service.users.passwords import Passwords

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{2,63}")
MAX_BROWSER = 200  # characters of a User-Agent that are kept
SEEN_INTERVAL = timedelta(minutes=1)
PASSWORD, LDAP, OIDC = "password", "ldap", "oidc"  # how a session began
PROVIDER_METHODS = (LDAP, OIDC)
NO_PASSWORD = "!"  # noqa: S105 - no password has this hash


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: `idle` without a request, `whole` since sign-in."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class Lock:
    """After how many failures in a row a user is locked, and for how long."""

    after: int = 5
    duration: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a sign-in comes from; shown with the session."""

    address: str = ""
    browser: str = ""


SecondFactor = Callable[[UnitOfWork, UserRow], Awaitable[bool]]
"""Checks the code of a user whose row is locked, see `factor.accept`."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with a session. `token_hash` names the session in the database; `checked_at` is the time it was read."""

    user: UserRow
    csrf: str
    token_hash: str = field(repr=False)
    seen_at: datetime
    proved_at: datetime
    checked_at: datetime
    method: str


async def create_user(
    work: UnitOfWork,
    login: str,
    password_hash: str,
    *,
    account_id: str | None = None,
    must_change: bool = False,
    role: str | None = None,
) -> UserRow:
    """A new user: a customer of `account_id`, or an operator without one; `role` None is the one that may do everything
    of that kind. Raises Misuse, also for a login that differs from another one by case only."""
    if LOGIN.fullmatch(login) is None:
        raise Misuse("user.login_invalid")
    if await repository.is_login_taken(work.session, login):
        raise Misuse("user.login_taken", login=login)
    if account_id is not None:
        await accounts.get_account(work, account_id)
    kind = CUSTOMER if account_id else OPERATOR
    duty = None if role is None else fitting_role(kind, role)
    now = await work.now()
    user = UserRow(
        id=ids.new(),
        login=login,
        password_hash=password_hash,
        account_id=account_id,
        role=kind,
        failures=0,
        must_change=must_change,
        created_at=now,
        duty=duty.value if duty else None,
        login_key=repository.login_key(login),
        password_at=now,
    )
    await add(work.session, user)
    await trail.record(work, "user.create", f"user {login}", account_id, role=duty.value if duty else kind)
    return user


async def create_first_operator(work: UnitOfWork, login: str, password_hash: str, *, separate: bool = False) -> UserRow:
    """Create the operator of a new installation, who makes the others: with separate duties a security administrator.
    Raises Misuse when there is a user already."""
    await repository.lock_user_creation(work.session)
    if await repository.has_users(work.session):
        raise Misuse("user.set_up_already")
    return await create_user(work, login, password_hash, role=Role.SECURITY if separate else None)


async def password_proof(session: AsyncSession, passwords: Passwords, login: str, password: str) -> str | None:
    """The stored hash that a password matches; None when it does not match. A check is slow and would block other
    writers of an embedded database, so it runs outside of the writing transaction; that one compares the hash to detect
    a password changed meanwhile."""
    user = await repository.user_named(session, login)
    hashed = user.password_hash if user else None
    return hashed if await passwords.check(password, hashed) else None


async def sign_in(
    work: UnitOfWork,
    login: str,
    proof: str | None,
    lifetime: Lifetime,
    *,
    lock: Lock = Lock(),
    visit: Visit = Visit(),
    second: SecondFactor | None = None,
) -> str | None:
    """The token of a new session, None when the password or the code of the second factor is wrong or the user is
    locked or disabled. `proof` is the result of `password_proof`; `second` checks the code, without which a user with
    a second factor does not get in.

    Commit the work in both cases: failures are counted, and after some in a row the user is locked for a while.
    """
    user = await repository.user_named(work.session, login, lock=True)
    now = await work.now()
    if user is None or user.disabled_at is not None or is_locked(user, now):
        await _record_failed_login(work, user, "unknown" if user is None else state_of(user, now))
        return None
    if proof is None or proof != user.password_hash:
        await _record_failed_login(work, user, "password")
        await _count_failure(work, user, now, lock)
        return None
    if not await _second_factor_fits(work, user, second, now, lock):
        await _record_failed_login(work, user, "second factor")
        return None
    user.failures, user.locked_until, user.last_login_at = 0, None, now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now, PASSWORD, visit)
    await trail.record(_by(work, user), "user.login", f"user {user.login}", user.account_id)
    return token


async def sign_in_by_provider(
    work: UnitOfWork,
    login: str,
    lifetime: Lifetime,
    *,
    method: str = OIDC,
    lock: Lock = Lock(),
    visit: Visit = Visit(),
    second: SecondFactor | None = None,
    grant: Grant | None = None,
) -> str | None:
    """The token of a new session for a user authenticated by an identity provider or a directory; None when there is
    no such user, or it is disabled, or (of a directory) locked or without the right code. An initial password that was
    never changed becomes invalid. `grant`: what the groups of the user give; without a fitting role the user is
    refused."""
    by = "provider" if method == OIDC else method
    user = await repository.user_named(work.session, login, lock=True) if LOGIN.fullmatch(login) else None
    if user is None and LOGIN.fullmatch(login) and grant is not None and grant.create and grant.role_for(OPERATOR):
        user = await create_user(work, login, NO_PASSWORD, role=grant.role_for(OPERATOR))
    if user is None or user.disabled_at is not None or (grant is not None and grant.role_for(user.role) is None):
        reason = "unknown" if user is None else "disabled" if user.disabled_at is not None else "no role"
        await _record_failed_login(work, user, reason, by=by)
        return None
    now = await work.now()
    if method != OIDC and is_locked(user, now):
        await _record_failed_login(work, user, "locked", by=by)
        return None
    if method != OIDC and not await _second_factor_fits(work, user, second, now, lock):
        await _record_failed_login(work, user, "second factor", by=by)  # a provider asks for its own
        return None
    if user.must_change:
        user.must_change, user.password_hash = False, NO_PASSWORD
    if grant is not None:
        await grant_role(work, user, grant.role_for(user.role))
    user.failures, user.locked_until, user.last_login_at = 0, None, now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now, method, visit)
    await trail.record(_by(work, user), "user.login", f"user {user.login}", user.account_id, by=by)
    return token


async def record_failure(work: UnitOfWork, login: str, lock: Lock, *, by: str) -> None:
    """Record a sign-in that failed elsewhere, as at a directory; a wrong password counts towards the lock."""
    user = await repository.user_named(work.session, login, lock=True)
    now = await work.now()
    may_try = user is not None and user.disabled_at is None and not is_locked(user, now)
    reason = "unknown" if user is None else "password" if may_try else state_of(user, now)
    await _record_failed_login(work, user, reason, by=by)
    if user is not None and may_try:
        await _count_failure(work, user, now, lock)


async def _second_factor_fits(
    work: UnitOfWork, user: UserRow, second: SecondFactor | None, now: datetime, lock: Lock
) -> bool:
    """Whether the user has no second factor, or its code is right; a wrong one counts towards the lock."""
    if user.factor_at is None:
        return True
    if second is None:
        return False
    if await second(work, user):
        return True
    await _count_failure(work, user, now, lock)
    return False


async def session_of_token(work: UnitOfWork, token: str, lifetime: Lifetime) -> SignedIn | None:
    """The session of a token; None when it is unknown, expired, or its user is disabled."""
    token_hash = hash_token(token)
    found = await repository.signed_in(work.session, token_hash)
    if found is None:
        return None
    row, user = found
    now = await work.now()
    if now - row.seen_at > lifetime.idle or now - row.created_at > lifetime.absolute or user.disabled_at is not None:
        return None
    return SignedIn(user, row.csrf, token_hash, row.seen_at, row.proved_at, now, row.method or PASSWORD)


async def touch(work: UnitOfWork, token_hash: str) -> None:
    """Update the last use of a session, at most once per SEEN_INTERVAL."""
    now = await work.now()
    await repository.touch(work.session, token_hash, now, now - SEEN_INTERVAL)


async def confirm_password(
    work: UnitOfWork,
    signed_in: SignedIn,
    proof: str | None,
    *,
    lock: Lock = Lock(),
    second: SecondFactor | None = None,
) -> bool:
    """Record that the password, and the code of a second factor, were entered again, before a secret is shown; `proof`
    is the result of `password_proof`. False for a wrong one, which counts towards the lock."""
    user = await repository.user_named(work.session, signed_in.user.login, lock=True)
    now = await work.now()
    if user is None:
        return False
    if user.disabled_at is not None or is_locked(user, now):
        await _record_failed_proof(work, user, state_of(user, now))
        return False
    if proof is None or proof != user.password_hash:
        await _record_failed_proof(work, user, "password")
        await _count_failure(work, user, now, lock)
        return False
    if not await _second_factor_fits(work, user, second, now, lock):
        await _record_failed_proof(work, user, "second factor")
        return False
    user.failures = 0
    return await repository.mark_password_proved(work.session, signed_in.token_hash, now)


async def change_password(work: UnitOfWork, signed_in: SignedIn, password_hash: str, *, history: int = 0) -> None:
    """Set a user's new password and end the other sessions; the old one is remembered among the last `history`.

    Raises Misuse when the password was changed or the user disabled since the page was requested.
    """
    user = signed_in.user
    now = await work.now()
    if not await repository.change_password(work.session, user.id, user.password_hash, password_hash, now):
        raise Misuse("password.changed_meanwhile")
    await repository.keep_old_password(work.session, user.id, user.password_hash, now, history)
    await repository.delete_sessions(work.session, user.id, but=signed_in.token_hash)
    await trail.record(work, "user.password", f"user {user.login}", user.account_id)


async def reset_password(work: UnitOfWork, user_id: str, password_hash: str) -> None:
    """Set a password that the user must change at the next login; ends all sessions of the user."""
    user = await _get(work, user_id)
    await repository.reset_password(work.session, user_id, password_hash, await work.now())
    await work.session.refresh(user)
    await repository.delete_sessions(work.session, user.id)
    await trail.record(work, "user.reset", f"user {user.login}", user.account_id)


async def disable_user(work: UnitOfWork, user_id: str, *, disabled: bool = True, separate: bool = False) -> UserRow:
    """Disable a user (or enable it again); sessions end at once.

    No audit event is written when the user is in that state already. Raises Misuse for the last operator
    who may sign in and can change users. `separate`: duties are separate.
    """
    user = await _get(work, user_id)
    if disabled and user.role == OPERATOR:
        await keep_an_administrator(work, user_id, separate=separate)
    changed = await repository.disable(work.session, user_id, await work.now() if disabled else None)
    await work.session.refresh(user)
    await repository.delete_sessions(work.session, user.id)
    if changed:
        await trail.record(work, "user.disable" if disabled else "user.enable", f"user {user.login}", user.account_id)
    return user


async def sign_out(work: UnitOfWork, token: str) -> None:
    """End a session."""
    token_hash = hash_token(token)
    found = await repository.signed_in(work.session, token_hash)
    await repository.delete_session(work.session, token_hash)
    if found is not None:
        user = found[1]
        await trail.record(work, "user.logout", f"user {user.login}", user.account_id)


def hash_token(token: str) -> str:
    """SHA-256 of a session token. Without salt: a token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


async def _start_session(work: UnitOfWork, user: UserRow, now: datetime, method: str, visit: Visit) -> str:
    token = secrets.token_urlsafe(32)
    row = SessionRow(
        token_hash=hash_token(token),
        user_id=user.id,
        csrf=secrets.token_urlsafe(32),
        created_at=now,
        seen_at=now,
        proved_at=now,
        address=visit.address[:45],
        browser=visit.browser[:MAX_BROWSER],
        method=method,
    )
    await add(work.session, row)
    return token


def _by(work: UnitOfWork, user: UserRow) -> UnitOfWork:
    """The work as that of the user who signs in by it."""
    return replace(work, actor=f"console:{user.login}")


async def _record_failed_login(work: UnitOfWork, user: UserRow | None, reason: str, **detail: Any) -> None:
    """Record a failed sign-in. An unknown login is left out: people type passwords into the wrong field."""
    subject = f"user {user.login}" if user else "unknown user"
    account_id = user.account_id if user else None
    await trail.record(work, "user.login", subject, account_id, result="failed", reason=reason, **detail)


async def _record_failed_proof(work: UnitOfWork, user: UserRow, reason: str) -> None:
    """Record that a password or code that was asked for again was wrong."""
    await trail.record(work, "user.prove", f"user {user.login}", user.account_id, result="failed", reason=reason)


async def _count_failure(work: UnitOfWork, user: UserRow, now: datetime, lock: Lock) -> None:
    user.failures += 1
    if user.failures >= lock.after:
        user.failures, user.locked_until = 0, now + lock.duration
        await trail.record(work, "user.lock", f"user {user.login}", user.account_id)


def is_locked(user: UserRow, now: datetime) -> bool:
    """Whether wrong passwords keep the user out now."""
    return user.locked_until is not None and user.locked_until > now


def state_of(user: UserRow, now: datetime) -> str:
    """The state of a user: "disabled", "locked" (by wrong passwords, for a while), "must-change", "good"."""
    if user.disabled_at is not None:
        return "disabled"
    if is_locked(user, now):
        return "locked"
    return "must-change" if user.must_change else "good"


async def _get(work: UnitOfWork, user_id: str) -> UserRow:
    user = await repository.user(work.session, user_id)
    if user is None:
        raise Misuse("user.not_found", user_id=user_id)
    return user
