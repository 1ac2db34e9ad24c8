"""Writes the audit trail in the transaction of the change."""

from __future__ import annotations

from datetime import datetime

from inkgate.service.audit import repository
from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork

Value = str | int | float | bool | None


async def record(work: UnitOfWork, action: str, subject: str, account_id: str | None, **detail: Value) -> None:
    """Record a change. `action`: for example "app.create"; `subject`: the changed object. No secrets in `detail`."""
    record_at(await work.now(), work, action, subject, account_id, **detail)


def record_at(
    at: datetime, work: UnitOfWork, action: str, subject: str, account_id: str | None, **detail: Value
) -> None:
    """As `record`, of many changes at one time, which the database need not be asked for again."""
    event = EventRow(
        id=ids.new(),
        at=at,
        actor=work.actor[:64],
        action=action,
        subject=subject[:80],
        account_id=account_id,
        detail=detail,
    )
    repository.append(work.session, event)
