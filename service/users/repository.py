"""Queries over users and sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from service.users.models import SessionRow, UserRow


async def any_user(session: AsyncSession) -> bool:
    """Whether anybody can sign in at all; False on a fresh installation."""
    return bool(await session.scalar(select(func.count()).select_from(UserRow)))


async def user(session: AsyncSession, user_id: str) -> UserRow | None:
    return await session.get(UserRow, user_id)


async def user_named(session: AsyncSession, login: str, *, lock: bool = False) -> UserRow | None:
    query = select(UserRow).where(UserRow.login == login)
    found: UserRow | None = await session.scalar(query.with_for_update() if lock else query)
    return found


async def users(session: AsyncSession, account_id: str | None = None, *, limit: int = 200) -> list[UserRow]:
    """Users of an account, or all, in order of their login."""
    query = select(UserRow).order_by(UserRow.login).limit(limit)
    if account_id is not None:
        query = query.where(UserRow.account_id == account_id)
    return list(await session.scalars(query))


async def signed_in(session: AsyncSession, token_hash: str) -> tuple[SessionRow, UserRow] | None:
    query = select(SessionRow, UserRow).join(UserRow, UserRow.id == SessionRow.user_id)
    row = (await session.execute(query.where(SessionRow.token_hash == token_hash))).one_or_none()
    return (row[0], row[1]) if row is not None else None


async def drop_sessions(session: AsyncSession, user_id: str, *, but: str = "") -> None:
    """End the sessions of a user, all but the one with the token hash `but`."""
    await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.token_hash != but))


async def drop_session(session: AsyncSession, token_hash: str) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))


async def drop_stale(session: AsyncSession, seen_before: datetime, begun_before: datetime) -> None:
    stale = or_(SessionRow.seen_at < seen_before, SessionRow.created_at < begun_before)
    await session.execute(delete(SessionRow).where(stale))
