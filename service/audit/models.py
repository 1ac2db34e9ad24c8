"""Table of the audit trail. A trigger refuses updates and deletes (migration 0001)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier


class EventRow(Base):
    """One change: `actor` did `action` to `subject`. `detail` never holds a secret."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_account", "account_id", "at"), Index("ix_audit_event_at", "at"))

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(80))
    account_id: Mapped[str | None] = mapped_column(identifier())
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
