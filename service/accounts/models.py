"""Tables of accounts, access keys, apps, opened capabilities and allow-lists."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

KEY_ID_TYPE = String(64).with_variant(String(32), "sqlite")
"""AK or AppKey. SQLite does not enforce a length, and changing it there would copy tables that others reference."""


class Account(Base):
    """A customer. A sub-account names its main account in `parent_id`; packs belong to main accounts only."""

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AccessKeyRow(Base):
    """An access key pair of an account. `ends_at` limits the validity of a pair that has a successor."""

    __tablename__ = "access_key"

    ak: Mapped[str] = mapped_column(KEY_ID_TYPE, primary_key=True)
    sealed_secret: Mapped[bytes] = mapped_column(info={"sealed_context": "access_key.secret:{ak}"})
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # set for a pair that another service issued


class AppRow(Base):
    """An app 应用. Deleting keeps the row, because ledger entries reference it; its name may be used again.

    The name of a live app is unique within its account, not in the installation (ADR 0090).
    `imported_at` is set for an app whose keys another service issued; `seals` when its clients are known to send sealed
    bodies; `sm2_imported` when the SM2 key pair is the one that those clients use already.
    """

    __tablename__ = "app"
    __table_args__ = (
        Index(
            "uq_app_name_account_live",
            "name",
            "account_id",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(15))
    description: Mapped[str] = mapped_column(Text, default="")
    appkey: Mapped[str] = mapped_column(KEY_ID_TYPE, unique=True)
    sealed_secret: Mapped[bytes] = mapped_column(info={"sealed_context": "app.secret:{id}"})
    sm2_public_key: Mapped[str] = mapped_column(String(128))  # EncKey: base64 of the X.509 SPKI
    sealed_sm2_key: Mapped[bytes] = mapped_column(info={"sealed_context": "app.sm2:{id}"})
    extras: Mapped[bool] = mapped_column(default=False)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seals: Mapped[bool] = mapped_column(default=False, server_default=false())
    sm2_imported: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OpenedRow(Base):
    """A capability that an app has opened; it stays open (manual 7.1)."""

    __tablename__ = "app_capability"
    __table_args__ = (CheckConstraint("qps > 0", name="qps"),)

    app_id: Mapped[str] = mapped_column(ForeignKey("app.id"), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    qps: Mapped[float | None]  # None: the default of the installation
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AllowedRow(Base):
    """One network that may call an app, or one capability of it (`capability` "" stands for the whole app)."""

    __tablename__ = "app_allowed"

    app_id: Mapped[str] = mapped_column(ForeignKey("app.id"), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True, default="")
    network: Mapped[str] = mapped_column(String(43), primary_key=True)
