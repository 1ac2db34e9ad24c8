"""Ends of the meters' chains that the signed audit trail covers.

It only adds: a release without the table ignores it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0013"
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


def downgrade() -> None:
    op.drop_table("ledger_anchor")
