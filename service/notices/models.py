"""Tables of notices: channels, thresholds of accounts, conditions, the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

KEY_CHARACTERS = 160
ERROR_CHARACTERS = 200
TARGET_CHARACTERS = 200


class ChannelRow(Base):
    """Where notices go. `account_id` None: the operators' own.

    `sealed_config` holds addresses, URL and secret (a robot's URL is a secret itself); `target` is the part that may be
    shown. `kinds` empty means every kind. `filled_at` None: conditions that held before the channel was made are not
    announced on it yet. `busy_until` is the lease of the process that sends on it.
    """

    __tablename__ = "notice_channel"
    __table_args__ = (
        CheckConstraint("kind IN ('email', 'webhook', 'wecom', 'dingtalk', 'feishu')", name="kind"),
        Index("ix_notice_channel_account", "account_id"),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(TARGET_CHARACTERS))
    language: Mapped[str] = mapped_column(String(2))
    kinds: Mapped[list[str]] = mapped_column(JSON)
    sealed_config: Mapped[bytes] = mapped_column(info={"sealed_context": "notice_channel.config:{id}"})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    filled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    busy_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ThresholdRow(Base):
    """Thresholds of one main account, in place of those of the settings; None follows the settings."""

    __tablename__ = "notice_threshold"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    low_percent: Mapped[int | None] = mapped_column(SmallInteger)
    low_days: Mapped[int | None] = mapped_column(SmallInteger)
    expiry_days: Mapped[int | None] = mapped_column(SmallInteger)


class ConditionRow(Base):
    """A condition that holds (`ended_at` None) or held. It holds again with another `began_at`."""

    __tablename__ = "notice_condition"
    __table_args__ = (Index("ix_notice_condition_ended_at", "ended_at"),)

    key: Mapped[str] = mapped_column(String(KEY_CHARACTERS), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    account_id: Mapped[str | None] = mapped_column(identifier())
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NoticeRow(Base):
    """The outbox: one notice of one condition on one channel; the unique constraint makes doubles impossible.

    `attempts` counts the times that sending began; `next_at` is when the next may begin. `error` names the last
    failure, without secrets.
    """

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("channel_id", "condition_key", "began_at", name="uq_notice_once"),
        CheckConstraint("state IN ('waiting', 'sent', 'failed', 'cancelled')", name="state"),
        Index("ix_notice_state", "state", "next_at"),
        Index("ix_notice_created_at", "created_at"),
        Index("ix_notice_owner", "owner_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    channel_id: Mapped[str] = mapped_column(identifier())
    owner_id: Mapped[str | None] = mapped_column(identifier())  # the channel's account
    channel_name: Mapped[str] = mapped_column(String(40))  # as it was then: the channel may be removed
    channel_kind: Mapped[str] = mapped_column(String(16))
    condition_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(24))
    account_id: Mapped[str | None] = mapped_column(identifier())
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(SmallInteger)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # sent, given up or cancelled
    error: Mapped[str] = mapped_column(String(ERROR_CHARACTERS))


class RoundRow(Base):
    """One row: the number of evaluations so far. A round that read the database before another one ended is dropped."""

    __tablename__ = "notice_round"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
