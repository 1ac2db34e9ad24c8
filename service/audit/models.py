"""Tables of the audit trail. Triggers refuse to change or delete what is chained (migration 0010)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier


class EventRow(Base):
    """One event: `actor` did `action` to `subject`. `detail` never holds a secret.

    `sequence` has no gaps; `hash` covers all other columns and the hash of the row before (chain.py). Both are null
    only in rows of a release without the chain, until they are adopted.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_account", "account_id", "at"),
        Index("ix_audit_event_at", "at"),
        Index("ix_audit_event_action", "action", "at"),
        Index("uq_audit_event_sequence", "sequence", unique=True),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(80))
    account_id: Mapped[str | None] = mapped_column(identifier())
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[str | None] = mapped_column(String(8))
    surface: Mapped[str | None] = mapped_column(String(8))
    address: Mapped[str | None] = mapped_column(String(64))
    session: Mapped[str | None] = mapped_column(String(64))
    subject_name: Mapped[str | None] = mapped_column(String(120))
    account_name: Mapped[str | None] = mapped_column(String(64))
    previous_hash: Mapped[str | None] = mapped_column(String(80))
    hash: Mapped[str | None] = mapped_column(String(80))


class HeadRow(Base):
    """One row: the end of the chain. The lock on it serialises the writers of the trail; it is taken last."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    algorithm: Mapped[str] = mapped_column(String(8))
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str | None] = mapped_column(String(80))


class CheckpointRow(Base):
    """A signed statement that the trail had this hash at this sequence. `kind` is HEAD, or ARCHIVE when the rows up to
    it may be deleted."""

    __tablename__ = "audit_checkpoint"

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(8))
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(80))
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(128))


class SigningKeyRow(Base):
    """An SM2 key that signs checkpoints; the newest one signs, older ones verify."""

    __tablename__ = "audit_key"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(128))
    sealed_key: Mapped[bytes] = mapped_column(info={"sealed_context": "audit_key:{id}"})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CursorRow(Base):
    """How far the trail was sent to a receiver, and which process sends now, until when."""

    __tablename__ = "audit_cursor"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str] = mapped_column(String(36))
    held_until: Mapped[datetime] = mapped_column(UtcDateTime)
