"""Tables of packs and meters. Changes require the lock on the meter's row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

ACTIVE = "active"
REFUNDED = "refunded"


class MeterRow(Base):
    """One (main account, capability). The lock on its row serialises settlements and refunds of that pair.

    `seq` is the number of ledger entries written, without gaps; `settled_at` never decreases. `archived_lines` counts
    entries that retention has deleted.
    """

    __tablename__ = "meter"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    settled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    archived_lines: Mapped[int] = mapped_column(BigInteger, default=0)
    chain: Mapped[bytes | None] = mapped_column(LargeBinary)  # hash of the last chained entry
    chain_seq: Mapped[int | None] = mapped_column(BigInteger)  # and its seq


class PackRow(Base):
    """A resource pack 资源包: `total` units of one capability, for a main account or for one app of it.

    `exhausted_at` is set once, by the deduction of the last unit. The index of usable packs depends on it and not on
    `used`, so that a deduction updates no index.
    """

    __tablename__ = "pack"
    __table_args__ = (
        CheckConstraint("total > 0", name="total"),
        CheckConstraint("0 <= used AND used <= total", name="used"),
        CheckConstraint("starts_at < ends_at", name="validity"),
        CheckConstraint("(used = total) = (exhausted_at IS NOT NULL)", name="exhausted"),
        CheckConstraint("state = 'active' OR used = 0", name="refunded_unused"),
        Index("ix_pack_account", "account_id", "capability", "ordered_at", "id"),
        Index("ix_pack_ordered", "account_id", "ordered_at", "id"),
        Index("ix_pack_order", "order_id"),
        Index(
            "ix_pack_usable",
            "account_id",
            "capability",
            "ordered_at",
            "id",
            sqlite_where=text("exhausted_at IS NULL AND state = 'active'"),
            postgresql_where=text("exhausted_at IS NULL AND state = 'active'"),
        ),
        Index(
            "ix_pack_exhausted",
            "account_id",
            "capability",
            "total",
            sqlite_where=text("exhausted_at IS NOT NULL"),
            postgresql_where=text("exhausted_at IS NOT NULL"),
        ),
        Index(
            "ix_pack_bought",
            "account_id",
            "starts_at",
            "capability",
            "price_fen",
            "total",
            sqlite_where=text("order_id IS NOT NULL AND state = 'active'"),
            postgresql_where=text("order_id IS NOT NULL AND state = 'active'"),
        ),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    app_id: Mapped[str | None] = mapped_column(ForeignKey("app.id"))
    capability: Mapped[str] = mapped_column(String(16))
    total: Mapped[int] = mapped_column(BigInteger)
    used: Mapped[int] = mapped_column(BigInteger, default=0)
    archived: Mapped[int] = mapped_column(BigInteger, default=0)  # units whose entries retention has deleted
    state: Mapped[str] = mapped_column(String(16), default=ACTIVE)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    exhausted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    entered_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # meter seq at its creation
    refunded_seq: Mapped[int | None] = mapped_column(BigInteger)  # meter seq at its refund
    order_id: Mapped[str | None] = mapped_column(ForeignKey("pack_order.id"))
    price_fen: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # fen; returned by a refund


class CheckRow(Base):
    """Progress of a reconciliation pass over a meter: the entries up to `seq` are read, `lines` in number.

    Written by housekeeping only (`reconciliation.py`). `kind` is INCREMENTAL or FULL_RECHECK. `drift` in units is the
    result at the end of the pass, at `finished_at`.

    The other columns are those of FULL_RECHECK (`chain_recheck.py`): `broken` counts the entries found so far that are
    missing or not as they were settled; at entry `chain_to` the last chained entry was `chain_seq`.
    """

    __tablename__ = "ledger_check"

    account_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int] = mapped_column(BigInteger)
    drift: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    broken: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    chain_seq: Mapped[int | None] = mapped_column(BigInteger)
    chain_to: Mapped[int | None] = mapped_column(BigInteger)


class CheckPackRow(Base):
    """Units of a pack in the entries read so far, including archived ones."""

    __tablename__ = "ledger_check_pack"

    pack_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    units: Mapped[int] = mapped_column(BigInteger)


class CheckedRow(Base):
    """One row: the result of the last round, reported by every gateway. `checked_at` is the end of the last round that
    read all entries; before the first one, the start of checking."""

    __tablename__ = "ledger_checked"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    drift: Mapped[int] = mapped_column(BigInteger)
    backlog: Mapped[int] = mapped_column(BigInteger)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    broken: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class AnchorRow(Base):
    """The end of a meter's chain as the signed audit trail has it last (anchors.py): one row per meter that has one."""

    __tablename__ = "ledger_anchor"

    account_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    chain_seq: Mapped[int] = mapped_column(BigInteger)
    chain: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
