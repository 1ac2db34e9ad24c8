"""Balances of accounts, as entries that are only added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "balance_entry",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("refund_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint("balance_fen >= 0", name=op.f("ck_balance_entry_balance")),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_balance_entry_amount")),
        sa.CheckConstraint("(kind IN ('top-up', 'refund')) = (amount_fen > 0)", name=op.f("ck_balance_entry_sign")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_balance_entry_account_id")),
        sa.ForeignKeyConstraint(["order_id"], ["pack_order.id"], name=op.f("fk_balance_entry_order_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refund.id"], name=op.f("fk_balance_entry_refund_id")),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_balance_entry")),
        sa.UniqueConstraint("order_id", name="uq_balance_entry_order"),
        sa.UniqueConstraint("refund_id", name="uq_balance_entry_refund"),
    )


def downgrade() -> None:
    op.drop_table("balance_entry")
