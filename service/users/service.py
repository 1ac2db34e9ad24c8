"""Operations on users and sessions. Changes are written to the audit trail, passwords and tokens are not."""

from __future__ import annotations

from inkgate.service.audit import trail
from inkgate.service.db.hashes import hash_token
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users import repository
from inkgate.service.users.administration import keep_an_administrator
from inkgate.service.users.creation import LOGIN, create_first_operator, create_user
from inkgate.service.users.models import OPERATOR, UserRow
from inkgate.service.users.sessions import (
    LDAP,
    OIDC,
    PASSWORD,
    PROVIDER_METHODS,
    SEEN_INTERVAL,
    Lifetime,
    SignedIn,
    Visit,
    session_of_token,
    sign_out,
    touch,
)
from inkgate.service.users.sign_in import (
    NO_PASSWORD,
    Lock,
    SecondFactor,
    confirm_password,
    is_locked,
    password_proof,
    record_failure,
    sign_in,
    sign_in_by_provider,
    state_of,
)

__all__ = [
    "LDAP",
    "LOGIN",
    "NO_PASSWORD",
    "OIDC",
    "PASSWORD",
    "PROVIDER_METHODS",
    "SEEN_INTERVAL",
    "Lifetime",
    "Lock",
    "SecondFactor",
    "SignedIn",
    "Visit",
    "change_password",
    "confirm_password",
    "create_first_operator",
    "create_user",
    "disable_user",
    "hash_token",
    "is_locked",
    "password_proof",
    "record_failure",
    "reset_password",
    "session_of_token",
    "sign_in",
    "sign_in_by_provider",
    "sign_out",
    "state_of",
    "touch",
]


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


async def _get(work: UnitOfWork, user_id: str) -> UserRow:
    user = await repository.user(work.session, user_id)
    if user is None:
        raise Misuse("user.not_found", user_id=user_id)
    return user
