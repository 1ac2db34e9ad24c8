"""What can be done with users and their sessions. Changes land in the audit trail; passwords and tokens never do."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
NO_PASSWORD = "!"  # noqa: S105 - the hash of no password


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: `idle` without a request, `whole` from signing in."""

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
    """The operator of a fresh installation. Raises Misuse when there is a user already."""
    await repository.lock_user_creation(work.session)
    if await repository.has_users(work.session):
        raise Misuse("user.set_up_already")
    return await create_user(work, login, password_hash)


async def password_proof(session: AsyncSession, passwords: Passwords, login: str, password: str) -> str | None:
    """The stored hash that a password fits, None when it fits none. Apart from the writing below, because a check takes
    long enough to keep other writers of an embedded database waiting; the hash shows there whether the password was
    changed meanwhile."""
    user = await repository.user_named(session, login)
    hashed = user.password_hash if user else None
    return hashed if await passwords.check(password, hashed) else None


async def sign_in(work: UnitOfWork, login: str, proof: str | None, lifetime: Lifetime) -> str | None:
    """The token of a new session, None when the password does not fit or the user is locked or disabled. `proof` is
    what `password_proof` gave.

    Commit the work in both cases: wrong passwords are counted, and after five in a row the user is locked for a
    quarter of an hour.
    """
    user = await repository.user_named(work.session, login, lock=True)
    now = await work.now()
    if user is None or user.disabled_at is not None or is_locked(user, now):
        return None
    if proof is None or proof != user.password_hash:
        await _count_failure(work, user, now)
        return None
    user.failures, user.locked_until, user.last_login_at = 0, None, now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now)
    await trail.record(work, "user.login", f"user {login}", user.account_id)
    return token


async def sign_in_by_provider(work: UnitOfWork, login: str, lifetime: Lifetime) -> str | None:
    """The token of a new session for somebody whom an identity provider vouches for, None when there is no such user
    or it is disabled. An initial password that was never changed ends: nobody needs it any more."""
    if LOGIN.fullmatch(login) is None:
        return None
    user = await repository.user_named(work.session, login, lock=True)
    if user is None or user.disabled_at is not None:
        return None
    now = await work.now()
    if user.must_change:
        user.must_change, user.password_hash = False, NO_PASSWORD
    user.last_login_at = now
    await repository.delete_expired_sessions(work.session, now - lifetime.idle, now - lifetime.absolute)
    token = await _start_session(work, user, now)
    await trail.record(work, "user.login", f"user {login}", user.account_id, by="provider")
    return token


async def session_of_token(work: UnitOfWork, token: str, lifetime: Lifetime) -> SignedIn | None:
    """Who a session token belongs to, None when it is unknown, too old, or its user is disabled."""
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
    """Note that a session is in use; a write a minute is enough."""
    now = await work.now()
    await repository.touch(work.session, token_hash, now, now - SEEN_INTERVAL)


async def confirm_password(work: UnitOfWork, signed_in: SignedIn, proof: str | None) -> bool:
    """The password was entered again, before a secret is shown; `proof` is what `password_proof` gave. Wrong ones count
    towards the lock."""
    user = await repository.user_named(work.session, signed_in.user.login, lock=True)
    now = await work.now()
    if user is None or user.disabled_at is not None or is_locked(user, now):
        return False
    if proof is None or proof != user.password_hash:
        await _count_failure(work, user, now)
        return False
    user.failures = 0
    return await repository.mark_password_proved(work.session, signed_in.token_hash, now)


async def change_password(work: UnitOfWork, signed_in: SignedIn, password_hash: str) -> None:
    """Set a user's new password and end the other sessions.

    Raises Misuse when the password was changed by somebody else, or the user disabled, since the page was asked for.
    """
    user = signed_in.user
    if not await repository.change_password(work.session, user.id, user.password_hash, password_hash):
        raise Misuse("password.changed_meanwhile")
    await repository.delete_sessions(work.session, user.id, but=signed_in.token_hash)
    await trail.record(work, "user.password", f"user {user.login}", user.account_id)


async def reset_password(work: UnitOfWork, user_id: str, password_hash: str) -> None:
    """A password given by somebody else, to be changed at the next login; every session of the user ends."""
    user = await _get(work, user_id)
    await repository.reset_password(work.session, user_id, password_hash)
    await work.session.refresh(user)
    await repository.delete_sessions(work.session, user.id)
    await trail.record(work, "user.reset", f"user {user.login}", user.account_id)


async def disable_user(work: UnitOfWork, user_id: str, *, disabled: bool = True) -> UserRow:
    """Stop a user from signing in (or allow it again); sessions end at once.

    A user that is so already stays as it is, without a line in the audit trail. Raises Misuse for the last operator
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
    await repository.delete_session(work.session, hash_token(token))


def hash_token(token: str) -> str:
    """What is stored of a session token: 256 random bits need no salt."""
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


async def _count_failure(work: UnitOfWork, user: UserRow, now: datetime) -> None:
    user.failures += 1
    if user.failures >= MAX_FAILURES:
        user.failures, user.locked_until = 0, now + LOCK_DURATION
        await trail.record(work, "user.lock", f"user {user.login}", user.account_id)


def is_locked(user: UserRow, now: datetime) -> bool:
    """Whether wrong passwords keep the user out now."""
    return user.locked_until is not None and user.locked_until > now


def state_of(user: UserRow, now: datetime) -> str:
    """How a user stands: "disabled", "locked" (by wrong passwords, for a while), "must-change", "good"."""
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
