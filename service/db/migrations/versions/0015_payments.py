"""Payment of orders, names of vouchers, reasons of rejected refunds, and the indexes of their lists.

It only adds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_pack_order_state", "pack_order", ["state", "ordered_at"]),
    ("ix_pack_order_decided", "pack_order", ["account_id", "decided_at"]),
    ("ix_refund_state", "refund", ["state", "requested_at"]),
    ("ix_voucher_account", "voucher", ["account_id", "ends_at"]),
    ("ix_voucher_order", "voucher", ["order_id"]),
    ("ix_pack_ordered", "pack", ["account_id", "ordered_at", "id"]),
    ("ix_pack_order", "pack", ["order_id"]),
)


def upgrade() -> None:
    op.add_column("pack_order", sa.Column("payment", sa.String(length=16), nullable=True))
    op.add_column("pack_order", sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pack_order", sa.Column("voucher_number", sa.String(length=12), nullable=True))
    op.add_column("voucher", sa.Column("name", sa.String(length=40), server_default="", nullable=False))
    op.add_column("refund", sa.Column("note", sa.Text(), server_default="", nullable=False))
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_column("refund", "note")
    op.drop_column("voucher", "name")
    for column in ("voucher_number", "paid_at", "payment"):
        op.drop_column("pack_order", column)
