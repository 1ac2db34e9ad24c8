"""Roles, second factor, age and history of passwords, and where sessions come from.

It only adds columns that may be empty, and tables: the old release keeps working, and its new users get the role of
their kind. `login_key` makes logins unique whatever their case; of logins that differed by case only before, the oldest
user gets the key, and the others keep signing in with the exact spelling.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("console_user", sa.Column("duty", sa.String(length=16), nullable=True))
    op.add_column("console_user", sa.Column("login_key", sa.String(length=64), nullable=True))
    op.add_column("console_user", sa.Column("password_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("console_user", sa.Column("sealed_factor", sa.LargeBinary(), nullable=True))
    op.add_column("console_user", sa.Column("factor_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("console_user", sa.Column("factor_step", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE console_user SET login_key = lower(login) WHERE NOT EXISTS ("
        "SELECT 1 FROM console_user AS other WHERE lower(other.login) = lower(console_user.login) AND "
        "(other.created_at < console_user.created_at OR "
        "(other.created_at = console_user.created_at AND other.id < console_user.id)))"
    )
    op.create_index("uq_console_user_login_key", "console_user", ["login_key"], unique=True)
    op.add_column("console_session", sa.Column("address", sa.String(length=45), nullable=True))
    op.add_column("console_session", sa.Column("browser", sa.String(length=200), nullable=True))
    op.add_column("console_session", sa.Column("method", sa.String(length=16), nullable=True))
    op.create_table(
        "console_recovery_code",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["console_user.id"], name=op.f("fk_console_recovery_code_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_console_recovery_code")),
    )
    op.create_table(
        "console_old_password",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_hash", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["console_user.id"], name=op.f("fk_console_old_password_user_id")),
        sa.PrimaryKeyConstraint("user_id", "ended_at", name=op.f("pk_console_old_password")),
    )
