"""Response times in buckets, refused calls, and sums of whole days.

It only adds: gateways of the release before go on settling, their calls without response times. Days are not filled in
here, housekeeping sums up past ones while the service runs, and until then the hours answer.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Copied at the time of writing: a migration must not change with the code.
BUCKETS = (
    5,
    7,
    10,
    14,
    20,
    28,
    40,
    57,
    80,
    113,
    160,
    226,
    320,
    453,
    640,
    905,
    1280,
    1810,
    2560,
    3620,
    5120,
    7241,
    10240,
    14482,
    20480,
    28963,
    40960,
    57926,
    81920,
    "more",
)


def upgrade() -> None:
    for bucket in BUCKETS:
        op.add_column("usage_hour", sa.Column(f"ms_{bucket}", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "usage_refusal",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hour", "app_id", "capability", "code", name=op.f("pk_usage_refusal")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_usage_refusal_hour", "usage_refusal", ["hour"], unique=False)
    sums = ("calls", "images", "failed_images", "units", "body_bytes", "duration_ms", "refused")
    op.create_table(
        "usage_day",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in sums),
        *(sa.Column(f"ms_{bucket}", sa.Integer(), server_default="0", nullable=False) for bucket in BUCKETS),
        sa.PrimaryKeyConstraint(
            "account_id", "level", "day", "app_id", "capability", "code", name=op.f("pk_usage_day")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_usage_day_day", "usage_day", ["day"], unique=False)
    op.create_table(
        "usage_rolled",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_rolled")),
    )
