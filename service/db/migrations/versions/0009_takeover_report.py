"""What mirrored calls have shown: sums by day, and some different values under their own retention.

It only adds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takeover_figure",
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("measure", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "capability", "day", "measure", name=op.f("pk_takeover_figure")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_takeover_figure_day", "takeover_figure", ["day"], unique=False)
    op.create_table(
        "takeover_difference",
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("cloud", sa.String(length=200), nullable=False),
        sa.Column("local", sa.String(length=200), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "capability", "day", "field", "slot", name=op.f("pk_takeover_difference")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_takeover_difference_day", "takeover_difference", ["day"], unique=False)
