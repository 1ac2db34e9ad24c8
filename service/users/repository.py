"""Queries over users and sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.db import ids
from inkgate.service.db.changes import guarded_update, set_or_clear
from inkgate.service.users.models import OPERATOR, SessionRow, UserRow


async def has_users(session: AsyncSession) -> bool:
    """Whether there is any user; False on a new installation."""
    return bool(await session.scalar(select(func.count()).select_from(UserRow)))


async def lock_user_creation(session: AsyncSession) -> None:
    """Lock the creation of users until this transaction ends (SQLite has one writer anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("LOCK TABLE console_user IN SHARE ROW EXCLUSIVE MODE"))


async def user(session: AsyncSession, user_id: str) -> UserRow | None:
    return await session.get(UserRow, user_id) if ids.is_canonical_uuid(user_id) else None


async def user_named(session: AsyncSession, login: str, *, lock: bool = False) -> UserRow | None:
    """A user by login; `lock` reads its current state and locks the row."""
    query = select(UserRow).where(UserRow.login == login)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found: UserRow | None = await session.scalar(query)
    return found


async def lock_operators(session: AsyncSession) -> set[str]:
    """Ids of the operators who may sign in; their rows are locked until this transaction ends."""
    query = select(UserRow.id).where(UserRow.role == OPERATOR, UserRow.disabled_at.is_(None)).order_by(UserRow.id)
    return set(await session.scalars(query.with_for_update(key_share=True)))


async def disable(session: AsyncSession, user_id: str, at: datetime | None) -> bool:
    """Disable a user (`at` None: enable again); False when the user is in that state already."""
    return await set_or_clear(session, UserRow.disabled_at, at, UserRow.id == user_id)


async def change_password(session: AsyncSession, user_id: str, old_hash: str, new_hash: str) -> bool:
    """A user's own new password; False when `old_hash` is not current or the user is disabled."""
    change = update(UserRow).where(
        UserRow.id == user_id, UserRow.password_hash == old_hash, UserRow.disabled_at.is_(None)
    )
    return await guarded_update(session, change.values(password_hash=new_hash, must_change=False))


async def reset_password(session: AsyncSession, user_id: str, new_hash: str) -> bool:
    """Set a password that the user must change, and end a lock. False when there is no such user."""
    change = update(UserRow).where(UserRow.id == user_id)
    return await guarded_update(
        session, change.values(password_hash=new_hash, must_change=True, failures=0, locked_until=None)
    )


async def touch(session: AsyncSession, token_hash: str, now: datetime, seen_before: datetime) -> bool:
    """Update `seen_at` if it is older than `seen_before`. False when it is not, or the session has ended."""
    change = update(SessionRow).where(SessionRow.token_hash == token_hash, SessionRow.seen_at < seen_before)
    return await guarded_update(session, change.values(seen_at=now))


async def mark_password_proved(session: AsyncSession, token_hash: str, now: datetime) -> bool:
    """Set `proved_at` of a session; False when it has ended."""
    change = update(SessionRow).where(SessionRow.token_hash == token_hash).values(proved_at=now)
    return await guarded_update(session, change)


async def users(session: AsyncSession, account_id: str | None = None, *, limit: int = 200) -> list[UserRow]:
    """Users of an account, or all, ordered by login."""
    query = select(UserRow).order_by(UserRow.login).limit(limit)
    if account_id is not None:
        query = query.where(UserRow.account_id == account_id)
    return list(await session.scalars(query))


async def operators(session: AsyncSession, *, limit: int = 200) -> list[UserRow]:
    """The operators, including disabled ones, ordered by login."""
    query = select(UserRow).where(UserRow.role == OPERATOR).order_by(UserRow.login).limit(limit)
    return list(await session.scalars(query))


async def signed_in(session: AsyncSession, token_hash: str) -> tuple[SessionRow, UserRow] | None:
    query = select(SessionRow, UserRow).join(UserRow, UserRow.id == SessionRow.user_id)
    row = (await session.execute(query.where(SessionRow.token_hash == token_hash))).one_or_none()
    return (row[0], row[1]) if row is not None else None


async def delete_sessions(session: AsyncSession, user_id: str, *, but: str = "") -> None:
    """End the sessions of a user, all but the one with the token hash `but`."""
    await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.token_hash != but))


async def delete_session(session: AsyncSession, token_hash: str) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))


async def delete_expired_sessions(session: AsyncSession, seen_before: datetime, begun_before: datetime) -> None:
    expired = or_(SessionRow.seen_at < seen_before, SessionRow.created_at < begun_before)
    await session.execute(delete(SessionRow).where(expired))
