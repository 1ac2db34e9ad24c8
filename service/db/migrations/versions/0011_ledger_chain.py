"""The chain of ledger entries: a hash in each entry, and the end of the chain in the row of its meter.

It only adds. Entries of the release before have no hash.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("usage_record", sa.Column("chain", sa.LargeBinary(), nullable=True))
    op.add_column("meter", sa.Column("chain", sa.LargeBinary(), nullable=True))
    op.add_column("meter", sa.Column("chain_seq", sa.BigInteger(), nullable=True))
