"""Indexes of the lists and sums that pages show: orders by state, payments of a month, packs that are used up, vouchers
by their end, events by action.

It only adds: a release without the indexes ignores them. No index holds a column that a deduction changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_pack_order_own_state", "pack_order", ["account_id", "state", "ordered_at"], None),
    ("ix_pack_order_paid", "pack_order", ["account_id", "state", "decided_at", "amount_fen", "discount_fen"], None),
    ("ix_refund_decided", "refund", ["account_id", "state", "decided_at", "amount_fen"], None),
    ("ix_pack_exhausted", "pack", ["account_id", "capability", "total"], "exhausted_at IS NOT NULL"),
    (
        "ix_pack_bought",
        "pack",
        ["account_id", "starts_at", "capability", "price_fen", "total"],
        "order_id IS NOT NULL AND state = 'active'",
    ),
    ("ix_voucher_ends_at", "voucher", ["ends_at"], None),
    ("ix_audit_event_action", "audit_event", ["action", "at"], None),
)


def upgrade() -> None:
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table, _columns, _condition in reversed(INDEXES):
        op.drop_index(name, table_name=table)
