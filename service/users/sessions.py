"""Sessions: begun, read, used and ended. A token is stored as its hash alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inkgate.service.audit import trail
from inkgate.service.db.changes import add
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository
from inkgate.service.users.models import SessionRow, UserRow

MAX_BROWSER = 200  # characters of a User-Agent that are kept
SEEN_INTERVAL = timedelta(minutes=1)
PASSWORD, LDAP, OIDC = "password", "ldap", "oidc"  # how a session began
PROVIDER_METHODS = (LDAP, OIDC)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: `idle` without a request, `whole` since sign-in."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a sign-in comes from; shown with the session."""

    address: str = ""
    browser: str = ""


NO_VISIT = Visit()


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


async def start_session(work: UnitOfWork, user: UserRow, now: datetime, method: str, visit: Visit) -> str:
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


async def sign_out(work: UnitOfWork, token: str) -> None:
    """End a session."""
    token_hash = hash_token(token)
    found = await repository.signed_in(work.session, token_hash)
    await repository.delete_session(work.session, token_hash)
    if found is not None:
        user = found[1]
        await trail.record(work, "user.logout", f"user {user.login}", user.account_id)
