"""Tables of ledger entries and their totals. `service.metering` writes entries and hours in one transaction; refused
calls and days are written separately (`refusals.py`, `rollup.py`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier
from inkgate.service.usage import latency


class RecordRow(Base):
    """One ledger entry. A call has one entry, or one per pack that it used (`line` 0, 1, …).

    `first_unit` is the number of units of the pack used before: the entries of a pack cover its units without gap or
    overlap. `images`, `code` and the other columns of the call are set on line 0; further lines have units only.
    On Postgres the table is partitioned by day, by ranges of `call_id` (UUIDv7: the first bits are the time).
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
    chain: Mapped[bytes | None] = mapped_column(LargeBinary)  # hash over this entry and the one before (ADR 0074)


class HourRow(Base):
    """Usage of a capability by an app in one hour (UTC), by status code. Written in the transaction of the entries.

    It has another column for each bucket of response times (`latency.COLUMNS`); rows of releases before these columns
    have zeros there.
    """

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


class RefusalRow(Base):
    """Calls of one hour (UTC) that were refused before the ledger, by app and capability.

    A gateway adds its counts every 30 seconds; a crash loses at most those. `account_id` is the main account. An
    unknown app or account is `UNKNOWN_ID`, an unknown capability "".
    """

    __tablename__ = "usage_refusal"
    __table_args__ = (Index("ix_usage_refusal_hour", "hour"), {"sqlite_with_rowid": False})

    account_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    app_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    calls: Mapped[int] = mapped_column(BigInteger)


class DayRow(Base):
    """Settled and refused calls of one day (Beijing time), up to the last rollup; computed from the hours and can be
    computed again at any time.

    `day` is the start of the day. Each day is stored at four levels of aggregation: by app or by the account that owns
    the apps (then `app_id` is that account), by code or with all codes in one row (then `code` is ALL_CODES).
    """

    __tablename__ = "usage_day"
    __table_args__ = (Index("ix_usage_day_day", "day"), {"sqlite_with_rowid": False})

    account_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    day: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    app_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    code: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    calls: Mapped[int] = mapped_column(BigInteger)
    images: Mapped[int] = mapped_column(BigInteger)
    failed_images: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int] = mapped_column(BigInteger)
    body_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)


class RollupStateRow(Base):
    """One row: the hours before `until` are in `usage_day`."""

    __tablename__ = "usage_rolled"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


BY_APP_AND_CODE, BY_APP, BY_OWNER_AND_CODE, BY_OWNER = range(4)
"""The levels of `usage_day`."""

BASE_MEASURES = ("calls", "images", "failed_images", "units", "body_bytes", "duration_ms")
"""The columns of hours and days that count settled calls."""

ALL_CODES = -1
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
"""App or account of calls whose caller is unknown."""

for _name in latency.COLUMNS:
    setattr(HourRow, _name, mapped_column(_name, Integer, nullable=False, default=0, server_default="0"))
    setattr(DayRow, _name, mapped_column(_name, Integer, nullable=False, default=0, server_default="0"))
