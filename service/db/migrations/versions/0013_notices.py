"""Notices: channels, thresholds, conditions, outbox.

It only adds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "notice_channel",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("sealed_config", sa.LargeBinary(), nullable=False),
        _instant("created_at"),
        _instant("paused_at", nullable=True),
        _instant("filled_at", nullable=True),
        _instant("busy_until", nullable=True),
        sa.CheckConstraint(
            "kind IN ('email', 'webhook', 'wecom', 'dingtalk', 'feishu')", name=op.f("ck_notice_channel_kind")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_notice_channel_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_channel")),
    )
    op.create_index("ix_notice_channel_account", "notice_channel", ["account_id"], unique=False)
    op.create_table(
        "notice_threshold",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("low_percent", sa.SmallInteger(), nullable=True),
        sa.Column("low_days", sa.SmallInteger(), nullable=True),
        sa.Column("expiry_days", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_notice_threshold_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_notice_threshold")),
    )
    op.create_table(
        "notice_condition",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        _instant("began_at"),
        _instant("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notice_condition")),
    )
    op.create_index("ix_notice_condition_ended_at", "notice_condition", ["ended_at"], unique=False)
    _create_outbox()
    op.create_table(
        "notice_round",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _instant("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_round")),
    )


def _create_outbox() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("channel_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("owner_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("channel_name", sa.String(length=40), nullable=False),
        sa.Column("channel_kind", sa.String(length=16), nullable=False),
        sa.Column("condition_key", sa.String(length=160), nullable=False),
        _instant("began_at"),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        _instant("next_at"),
        _instant("created_at"),
        _instant("ended_at", nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'failed', 'cancelled')", name=op.f("ck_notice_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("channel_id", "condition_key", "began_at", name="uq_notice_once"),
    )
    op.create_index("ix_notice_state", "notice", ["state", "next_at"], unique=False)
    op.create_index("ix_notice_owner", "notice", ["owner_id", "created_at"], unique=False)
    op.create_index("ix_notice_created_at", "notice", ["created_at"], unique=False)
