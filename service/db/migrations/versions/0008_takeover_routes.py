"""Routes of the takeover: where the calls of an app are answered, and the switch above them.

It only adds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takeover_route",
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('mirror', 'split', 'local')", name=op.f("ck_takeover_route_mode")),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name=op.f("ck_takeover_route_percent")),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_takeover_route_app_id")),
        sa.PrimaryKeyConstraint("app_id", "capability", name=op.f("pk_takeover_route")),
    )
    op.create_table(
        "takeover_switch",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("override", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("override IN ('', 'local', 'cloud')", name=op.f("ck_takeover_switch_override")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_takeover_switch")),
    )
