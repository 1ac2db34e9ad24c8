"""Ledger lines and their hourly sums as tables. Only `service.metering` writes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from service.db.base import Base, UtcDateTime, identifier


class RecordRow(Base):
    """One line of the ledger. A call has one line, or one for each pack that it drew on (`line` 0, 1, …).

    `first_unit` is what the pack had used before this line: the lines of a pack tile its units without gap or overlap.
    `images`, `code` and the rest belong to the call and stand on line 0; further lines carry units only.
    On Postgres the table is partitioned by day through ranges of `call_id`, whose first bits are a time.
    """

    __tablename__ = "usage_record"
    __table_args__ = (
        Index("ix_usage_record_meter", "account_id", "capability", "seq"),
        {"postgresql_partition_by": "RANGE (call_id)"},
    )

    call_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    settled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    account_id: Mapped[str] = mapped_column(identifier())  # the main account, which pays
    app_id: Mapped[str] = mapped_column(identifier())
    capability: Mapped[str] = mapped_column(String(16))
    pack_id: Mapped[str | None] = mapped_column(identifier())
    first_unit: Mapped[int | None] = mapped_column(BigInteger)
    units: Mapped[int]
    images: Mapped[int]
    failed_images: Mapped[int]
    code: Mapped[int]
    body_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int]
    client_ip: Mapped[str] = mapped_column(String(45))
    request_id: Mapped[str] = mapped_column(String(128))


class HourRow(Base):
    """What an app did with a capability in one hour (UTC), by status code. Written in the transaction of the lines."""

    __tablename__ = "usage_hour"
    __table_args__ = (Index("ix_usage_hour_account", "account_id", "hour"),)

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    app_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(identifier())
    calls: Mapped[int] = mapped_column(BigInteger)
    images: Mapped[int] = mapped_column(BigInteger)
    failed_images: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int] = mapped_column(BigInteger)
    body_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
