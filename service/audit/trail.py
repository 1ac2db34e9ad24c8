"""Write the audit trail, in the transaction of the change itself, and read it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids
from inkgate.service.db.work import Work

Value = str | int | float | bool | None


async def record(work: Work, action: str, subject: str, account_id: str | None, **detail: Value) -> None:
    """Note a change: `action` is "app.create" and the like, `subject` names the thing. No secrets in `detail`."""
    work.session.add(
        EventRow(
            id=ids.new(),
            at=await work.now(),
            actor=work.actor[:64],
            action=action,
            subject=subject[:80],
            account_id=account_id,
            detail=detail,
        )
    )


async def events(
    session: AsyncSession,
    *,
    account_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[EventRow]:
    """The latest events first, at most `limit`; `until` is exclusive."""
    query = select(EventRow).order_by(EventRow.at.desc(), EventRow.id.desc()).limit(limit)
    if account_id is not None:
        query = query.where(EventRow.account_id == account_id)
    if since is not None:
        query = query.where(EventRow.at >= since)
    if until is not None:
        query = query.where(EventRow.at < until)
    return list(await session.scalars(query))
