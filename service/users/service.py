"""Operations on users and sessions. Changes are written to the audit trail, passwords and tokens are not."""

from __future__ import annotations

import hashlib
import re
import secrets
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
from inkgate.service.users import repository
from inkgate.service.users.models import CUSTOMER, OPERATOR, SessionRow, UserRow
from inkgate.service.users.passwords import Passwords

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{2,63}")
MAX_FAILURES = 5
LOCK_DURATION = timedelta(minutes=15)
SEEN_INTERVAL = timedelta(minutes=1)
NO_PASSWORD = "!"  # noqa: S105 - no password has this hash


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: `idle` without a request, `whole` since sign-in."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with a session. `token_hash` names the session in the database."""

    user: UserRow
    csrf: str
    token_hash: str = field(repr=False)
    seen_at: datetime
    proved_at: datetime


async def create_user(
    work: UnitOfWork, login: str, password_hash: str, *, account_id: str | None = None, must_change: bool = False
) -> UserRow:
    """A new user: a customer of `account_id`, or an operator without one. Raises Misuse."""
    if LOGIN.fullmatch(login) is None:
        raise Misuse("user.login_invalid")
    if await repository.user_named(work.session, login):
        raise Misuse("user.login_taken", login=login)
    if account_id is not None:
        await accounts.get_account(work, account_id)
    user = UserRow(
        id=ids.new(),
        login=login,
        password_hash=password_hash,
        account_id=account_id,
        role=CUSTOMER if account_id else OPERATOR,
        failures=0,
        must_change=must_change,
        created_at=await work.now(),
    )
    await add(work.session, user)
    await trail.record(work, "user.create", f"user {login}", account_id, role=user.role)
    return user


async def create_first_operator(work: UnitOfWork, login: str, password_hash: str) -> UserRow:
    """Create the operator of a new installation. Raises Misuse when there is a user already."""
    await repository.lock_user_creation(work.session)
    if await repository.has_users(work.session):
        raise Misuse("user.set_up_already")
    return await create_user(work, login, password_hash)


async def password_proof(session: AsyncSession, passwords: Passwords, login: str, password: str) -> str | None:
    """The stored hash that a password matches; None when it does not match. A check is slow and would block other
    writers of an embedded database, so it runs outside of the writing transaction; that one compares the hash to detect
    a password changed meanwhile."""
    user = await repository.user_named(session, login)
    hashed = user.password_hash if user else None
    return hashed if await passwords.check(password, hashed) else None


async def sign_in(work: UnitOfWork, login: str, proof: str | None, lifetime: Lifetime) -> str | None:
    """The token of a new session, None when the password is wrong or the user is locked or disabled. `proof` is
    the result of `password_proof`.

    Commit the work in both cases: wrong passwords are counted, and after five in a row the user is locked for a
    quarter of an hour.
    """
    user = await repository.user_named(work.session, login, lock=True)
    now = await work.now()
    if user is None or user.disabled_at is not None or is_locked(user, now):
        await _record_failed_login(work, user, "unknown" if user is None else state_of(user, now))
        return None
    if proof is None or proof != user.password_hash:
        await _record_failed_login(work, user, "password")
        await _count_failure(work, user, now)
        return None
    user.failures, user.locked_until, user.last_login_at = 0, None, now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now)
    await trail.record(_by(work, user), "user.login", f"user {login}", user.account_id)
    return token


async def sign_in_by_provider(work: UnitOfWork, login: str, lifetime: Lifetime) -> str | None:
    """The token of a new session for a user authenticated by an identity provider; None when there is no such user or
    it is disabled. An initial password that was never changed becomes invalid."""
    user = await repository.user_named(work.session, login, lock=True) if LOGIN.fullmatch(login) else None
    if user is None or user.disabled_at is not None:
        await _record_failed_login(work, user, "unknown" if user is None else "disabled", by="provider")
        return None
    now = await work.now()
    if user.must_change:
        user.must_change, user.password_hash = False, NO_PASSWORD
    user.last_login_at = now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now)
    await trail.record(_by(work, user), "user.login", f"user {login}", user.account_id, by="provider")
    return token


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
    return SignedIn(user, row.csrf, token_hash, row.seen_at, row.proved_at)


async def touch(work: UnitOfWork, token_hash: str) -> None:
    """Update the last use of a session, at most once per SEEN_INTERVAL."""
    now = await work.now()
    await repository.touch(work.session, token_hash, now, now - SEEN_INTERVAL)


async def confirm_password(work: UnitOfWork, signed_in: SignedIn, proof: str | None) -> bool:
    """Record that the password was entered again, before a secret is shown; `proof` is the result of `password_proof`.
    False for a wrong password, which counts towards the lock."""
    user = await repository.user_named(work.session, signed_in.user.login, lock=True)
    now = await work.now()
    if user is None or user.disabled_at is not None or is_locked(user, now):
        return False
    if proof is None or proof != user.password_hash:
        await trail.record(
            work, "user.prove", f"user {user.login}", user.account_id, result="failed", reason="password"
        )
        await _count_failure(work, user, now)
        return False
    user.failures = 0
    return await repository.mark_password_proved(work.session, signed_in.token_hash, now)


async def change_password(work: UnitOfWork, signed_in: SignedIn, password_hash: str) -> None:
    """Set a user's new password and end the other sessions.

    Raises Misuse when the password was changed or the user disabled since the page was requested.
    """
    user = signed_in.user
    if not await repository.change_password(work.session, user.id, user.password_hash, password_hash):
        raise Misuse("password.changed_meanwhile")
    await repository.delete_sessions(work.session, user.id, but=signed_in.token_hash)
    await trail.record(work, "user.password", f"user {user.login}", user.account_id)


async def reset_password(work: UnitOfWork, user_id: str, password_hash: str) -> None:
    """Set a password that the user must change at the next login; ends all sessions of the user."""
    user = await _get(work, user_id)
    await repository.reset_password(work.session, user_id, password_hash)
    await work.session.refresh(user)
    await repository.delete_sessions(work.session, user.id)
    await trail.record(work, "user.reset", f"user {user.login}", user.account_id)


async def disable_user(work: UnitOfWork, user_id: str, *, disabled: bool = True) -> UserRow:
    """Disable a user (or enable it again); sessions end at once.

    No audit event is written when the user is in that state already. Raises Misuse for the last operator
    who may sign in.
    """
    user = await _get(work, user_id)
    if disabled and user.role == OPERATOR and await repository.lock_operators(work.session) == {user_id}:
        raise Misuse("user.last_operator")
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


async def _start_session(work: UnitOfWork, user: UserRow, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    row = SessionRow(
        token_hash=hash_token(token),
        user_id=user.id,
        csrf=secrets.token_urlsafe(32),
        created_at=now,
        seen_at=now,
        proved_at=now,
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


async def _count_failure(work: UnitOfWork, user: UserRow, now: datetime) -> None:
    user.failures += 1
    if user.failures >= MAX_FAILURES:
        user.failures, user.locked_until = 0, now + LOCK_DURATION
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
