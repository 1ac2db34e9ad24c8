"""Sign-ins, and passwords entered again: what is checked, and the failures that lock a user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit import trail
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository
from inkgate.service.users.administration import grant_role
from inkgate.service.users.creation import LOGIN, create_user
from inkgate.service.users.grants import Grant
from inkgate.service.users.models import OPERATOR, UserRow
from inkgate.service.users.passwords import Passwords
from inkgate.service.users.sessions import NO_VISIT, OIDC, PASSWORD, Lifetime, SignedIn, Visit, start_session

NO_PASSWORD = "!"  # noqa: S105 - no password has this hash

SecondFactor = Callable[[UnitOfWork, UserRow], Awaitable[bool]]
"""Checks the code of a user whose row is locked, see `factor.accept`."""


@dataclass(frozen=True, slots=True)
class Lock:
    """After how many failures in a row a user is locked, and for how long."""

    after: int = 5
    duration: timedelta = timedelta(minutes=15)


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
    visit: Visit = NO_VISIT,
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
    token = await _succeed(work, user, now, lifetime, PASSWORD, visit)
    await trail.record(_by(work, user), "user.login", f"user {user.login}", user.account_id)
    return token


async def sign_in_by_provider(
    work: UnitOfWork,
    login: str,
    lifetime: Lifetime,
    *,
    method: str = OIDC,
    lock: Lock = Lock(),
    visit: Visit = NO_VISIT,
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
    token = await _succeed(work, user, now, lifetime, method, visit)
    await trail.record(_by(work, user), "user.login", f"user {user.login}", user.account_id, by=by)
    return token


async def _succeed(
    work: UnitOfWork, user: UserRow, now: datetime, lifetime: Lifetime, method: str, visit: Visit
) -> str:
    """The token of a new session; the count of failures begins again, and expired sessions are deleted."""
    user.failures, user.locked_until, user.last_login_at = 0, None, now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    return await start_session(work, user, now, method, visit)


async def record_failure(work: UnitOfWork, login: str, lock: Lock, *, by: str) -> None:
    """Record a sign-in that failed elsewhere, as at a directory; a wrong password counts towards the lock."""
    user = await repository.user_named(work.session, login, lock=True)
    now = await work.now()
    may_try = user is not None and user.disabled_at is None and not is_locked(user, now)
    reason = "unknown" if user is None else "password" if may_try else state_of(user, now)
    await _record_failed_login(work, user, reason, by=by)
    if user is not None and may_try:
        await _count_failure(work, user, now, lock)


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
