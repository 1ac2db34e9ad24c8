"""SQL of the admin API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.admin.models import TokenRow
from inkgate.service.db.changes import set_or_clear


async def token_named(session: AsyncSession, name: str) -> TokenRow | None:
    """The token with this name, disabled or not; None if there is none."""
    found: TokenRow | None = await session.scalar(select(TokenRow).where(TokenRow.name == name))
    return found


async def valid_token(session: AsyncSession, token_hash: str, now: datetime) -> TokenRow | None:
    """The token with this hash; None if it is unknown, disabled or expired."""
    query = select(TokenRow).where(
        TokenRow.token_hash == token_hash,
        TokenRow.disabled_at.is_(None),
        or_(TokenRow.ends_at.is_(None), TokenRow.ends_at > now),
    )
    found: TokenRow | None = await session.scalar(query)
    return found


async def tokens(session: AsyncSession) -> list[TokenRow]:
    """All tokens, oldest first."""
    return list(await session.scalars(select(TokenRow).order_by(TokenRow.created_at)))


async def disable_token(session: AsyncSession, name: str, at: datetime) -> bool:
    """Disable a token; False if it is already disabled or does not exist."""
    return await set_or_clear(session, TokenRow.disabled_at, at, TokenRow.name == name)
