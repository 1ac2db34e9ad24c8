"""Queries over the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit.models import EventRow


def append(session: AsyncSession, event: EventRow) -> None:
    """Add an event to the trail; it is inserted at the session's next flush."""
    session.add(event)


async def events(
    session: AsyncSession,
    *,
    account_id: str | None = None,
    search: str = "",
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[EventRow]:
    """The latest events first, at most `limit` after the first `offset`.

    `search` matches actor and subject, `action` is a prefix such as "order"; `until` is exclusive. None or "" means
    all.
    """
    query = select(EventRow).order_by(EventRow.at.desc(), EventRow.id.desc())
    if account_id is not None:
        query = query.where(EventRow.account_id == account_id)
    if search:
        query = query.where(
            or_(EventRow.actor.contains(search, autoescape=True), EventRow.subject.contains(search, autoescape=True))
        )
    if action:
        query = query.where(EventRow.action.startswith(action, autoescape=True))
    if since is not None:
        query = query.where(EventRow.at >= since)
    if until is not None:
        query = query.where(EventRow.at < until)
    return list(await session.scalars(query.limit(limit).offset(offset)))
