"""Changes to other users: roles and sessions. An operator who can change users always remains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inkgate.service.audit import trail
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, Permission, Role, permissions_of, role_of
from inkgate.service.users import repository
from inkgate.service.users.models import OPERATOR, UserRow

SESSION_NAME_LENGTH = 16  # characters of the token's hash, which name a session on pages and in the audit trail


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session for a page. `name` finds it again and is no secret; `current` marks the one that asks."""

    name: str
    login: str
    account_id: str | None
    role: Role | None
    method: str
    address: str
    browser: str
    begun_at: datetime
    seen_at: datetime
    current: bool


def fitting_role(kind: str, name: str) -> Role:
    """The role with this name for an operator or a customer. Raises Misuse."""
    choices = OPERATOR_ROLES if kind == OPERATOR else CUSTOMER_ROLES
    found = next((each for each in choices if each.value == name), None)
    if found is None:
        raise Misuse("user.role_invalid", choices=tuple(each.value for each in choices))
    return found


async def set_role(work: UnitOfWork, user: UserRow, name: str, *, separate: bool) -> None:
    """Give a user another role; it counts from the next request. Writes nothing when the user has it already.

    Raises Misuse for a role of the other kind of user, for the all-in-one operator while duties are separate, and for
    the last operator who can change users.
    """
    wanted = fitting_role(user.role, name)
    if separate and wanted is Role.OPERATOR:
        raise Misuse("user.duties_separate")
    if user.role == OPERATOR and Permission.USERS_CHANGE not in permissions_of(wanted, separate=separate):
        await keep_an_administrator(work, user.id, separate=separate)
    await grant_role(work, user, wanted)


async def grant_role(work: UnitOfWork, user: UserRow, wanted: Role | None) -> None:
    """Give a user a role that its groups give, or that `set_role` has checked."""
    before = user.held_role
    if wanted is None or before is wanted:
        return
    user.duty = wanted.value
    await work.session.flush()
    await trail.record(
        work,
        "user.role",
        f"user {user.login}",
        user.account_id,
        before={"role": before.value if before else None},
        after={"role": wanted.value},
    )


async def keep_an_administrator(work: UnitOfWork, user_id: str, *, separate: bool) -> None:
    """Raise Misuse if this user is the last one who may sign in and can change users."""
    able = {
        found
        for found, duty in await repository.lock_operators(work.session)
        if Permission.USERS_CHANGE in permissions_of(role_of(OPERATOR, duty), separate=separate)
    }
    if able == {user_id}:
        raise Misuse("user.last_operator")


async def sessions(
    work: UnitOfWork,
    *,
    current: str,
    seen_since: datetime,
    begun_since: datetime,
    user_id: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[SessionLine]:
    """Live sessions of a user, or of all, last seen first. `current` is the token hash of the session that asks."""
    rows = await repository.sessions(work.session, seen_since, begun_since, user_id=user_id, limit=limit, offset=offset)
    return [
        SessionLine(
            session.token_hash[:SESSION_NAME_LENGTH],
            user.login,
            user.account_id,
            user.held_role,
            session.method or "password",
            session.address or "",
            session.browser or "",
            session.created_at,
            session.seen_at,
            session.token_hash == current,
        )
        for session, user in rows
    ]


async def end_session(work: UnitOfWork, name: str, *, user_id: str | None = None) -> bool:
    """End a session, of this user only if one is given. False when there is none with this name."""
    if len(name) != SESSION_NAME_LENGTH or not name.isalnum():
        return False
    user = await repository.end_session(work.session, name, user_id)
    if user is None:
        return False
    await trail.record(work, "session.end", f"user {user.login}", user.account_id, session=name)
    return True


async def end_other_sessions(work: UnitOfWork, user: UserRow, token_hash: str) -> None:
    """End all sessions of a user but the one with this token hash."""
    await repository.delete_sessions(work.session, user.id, but=token_hash)
    await trail.record(work, "session.end", f"user {user.login}", user.account_id, session="others")
