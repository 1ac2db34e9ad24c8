"""The recheck of old ledger entries verifies their chain: what it found, and where it stands.

It only adds: a release without the columns ignores them, and a step that it takes is not compared with the step before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger_check", sa.Column("broken", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("ledger_check", sa.Column("chain_seq", sa.BigInteger(), nullable=True))
    op.add_column("ledger_check", sa.Column("chain_to", sa.BigInteger(), nullable=True))
    op.add_column("ledger_checked", sa.Column("broken", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("ledger_checked", "broken")
    for name in ("chain_to", "chain_seq", "broken"):
        op.drop_column("ledger_check", name)
