"""Keys that another service issued: longer identifiers, and where the keys of an app come from.

It only adds and widens; on Postgres the wider columns need no rewrite of the tables. The former release refuses the
longer identifiers as unknown. While it runs, single calls may fail once on a statement prepared before (see
`db.engine.is_stale_plan`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":  # which does not enforce a length
        for table, column in (("access_key", "ak"), ("app", "appkey")):
            op.alter_column(table, column, type_=sa.String(length=64), existing_nullable=False)
    op.add_column("access_key", sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("app", sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("app", sa.Column("seals", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("app", sa.Column("sm2_imported", sa.Boolean(), server_default=sa.false(), nullable=False))
