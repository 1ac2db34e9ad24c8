"""Progress of the reconciliation of entries and packs, per meter.

It only adds. The first rounds of housekeeping after it read every line once, some millions a round.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_check",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("drift", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "capability", "kind", name=op.f("pk_ledger_check")),
    )
    op.create_table(
        "ledger_check_pack",
        sa.Column("pack_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pack_id", "kind", name=op.f("pk_ledger_check_pack")),
    )
    op.create_table(
        "ledger_checked",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("drift", sa.BigInteger(), nullable=False),
        sa.Column("backlog", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_checked")),
    )
