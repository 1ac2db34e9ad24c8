"""Writes the audit trail in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from inkgate.service.audit import chain
from inkgate.service.audit.canonical import Value, plain
from inkgate.service.audit.models import EventRow
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork

Result = Literal["done", "refused", "failed"]
Values = Mapping[str, Value]


async def record(
    work: UnitOfWork,
    action: str,
    subject: str,
    account_id: str | None,
    *,
    name: str | None = None,
    result: Result = "done",
    before: Values | None = None,
    after: Values | None = None,
    **detail: Value,
) -> None:
    """Record an event, which is written when the unit of work commits.

    `action`: one of actions.py, for example "app.create". `subject`: the object, `name`: what people call it, where the
    subject has only an id. `before` and `after` are the values that changed. No secrets in any of them.
    """
    event = _event(await work.now(), work, action, subject, account_id, _with_change(detail, before, after))
    event.result, event.subject_name = result, name[:120] if name else None
    chain.enqueue(work, event)


async def record_look(
    work: UnitOfWork, action: str, subject: str, account_id: str | None, *, name: str | None = None, **detail: Value
) -> None:
    """Record that someone looked at an object; the same look is recorded once per `chain.LOOK_INTERVAL`."""
    event = _event(await work.now(), work, action, subject, account_id, plain(detail))
    event.subject_name = name[:120] if name else None
    chain.enqueue(work, event, once=True)


def record_at(
    at: datetime, work: UnitOfWork, action: str, subject: str, account_id: str | None, **detail: Value
) -> None:
    """As `record`, of many changes at one time, which the database need not be asked for again."""
    chain.enqueue(work, _event(at, work, action, subject, account_id, plain(detail)))


def _with_change(detail: Values, before: Values | None, after: Values | None) -> dict[str, Any]:
    changes = {"before": before, "after": after}
    return plain(detail) | {name: plain(values) for name, values in changes.items() if values is not None}


def _event(
    at: datetime, work: UnitOfWork, action: str, subject: str, account_id: str | None, detail: dict[str, Any]
) -> EventRow:
    origin = work.origin
    return EventRow(
        id=ids.new(),
        at=at,
        actor=work.actor[:64],
        action=action,
        subject=subject[:80],
        account_id=account_id,
        detail=detail,
        result="done",
        surface=origin.surface,
        address=origin.address[:64] if origin.address else None,
        session=origin.session[:64] if origin.session else None,
    )
