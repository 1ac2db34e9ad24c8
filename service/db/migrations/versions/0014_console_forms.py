"""Forms that a session has sent, and secrets that it may see for some minutes.

It only adds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "console_form_use",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session"],
            ["console_session.token_hash"],
            name=op.f("fk_console_form_use_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_console_form_use")),
    )
    op.create_index(op.f("ix_console_form_use_session"), "console_form_use", ["session"], unique=False)
    op.create_table(
        "console_shown_secret",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("page", sa.String(length=200), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["console_session.token_hash"],
            name=op.f("fk_console_shown_secret_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_shown_secret")),
    )
    op.create_index(op.f("ix_console_shown_secret_session"), "console_shown_secret", ["session"], unique=False)
    op.create_index(op.f("ix_console_shown_secret_expires_at"), "console_shown_secret", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("console_shown_secret")
    op.drop_table("console_form_use")
