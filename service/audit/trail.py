"""Writes the audit trail in the transaction of the change."""

from __future__ import annotations

from inkgate.service.audit import repository
from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork

Value = str | int | float | bool | None


async def record(work: UnitOfWork, action: str, subject: str, account_id: str | None, **detail: Value) -> None:
    """Record a change. `action`: for example "app.create"; `subject`: the changed object. No secrets in `detail`."""
    event = EventRow(
        id=ids.new(),
        at=await work.now(),
        actor=work.actor[:64],
        action=action,
        subject=subject[:80],
        account_id=account_id,
        detail=detail,
    )
    repository.append(work.session, event)
