"""Ends of the meters' chains that the signed audit trail covers; attempts to sign in, counted for all processes.

It only adds: a release without the tables ignores them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_anchor",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("chain_seq", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "capability", name=op.f("pk_ledger_anchor")),
    )
    op.create_table(
        "console_attempt",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_console_attempt")),
    )
    op.create_index("ix_console_attempt_begun_at", "console_attempt", ["begun_at"], unique=False)


def downgrade() -> None:
    op.drop_table("console_attempt")
    op.drop_table("ledger_anchor")
