"""App names are unique within an account; answers of the try page, sealed, for repeats of one form.

A release before this one works on the schema: it still refuses a name that any account has, and ignores the column.
The index begins with the name, which commands look up in all accounts; accounts have an index of their own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from inkgate.service.errors import ConfigurationError

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

LIVE = sa.text("deleted_at IS NULL")
ANSWERED = sa.text("sealed_answer IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "uq_app_name_account_live",
        "app",
        ["name", "account_id"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.drop_index("uq_app_name_live", table_name="app")
    op.add_column("console_form_use", sa.Column("sealed_answer", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_console_form_use_answered",
        "console_form_use",
        ["created_at"],
        unique=False,
        sqlite_where=ANSWERED,
        postgresql_where=ANSWERED,
    )


def downgrade() -> None:
    repeated = op.get_bind().scalar(
        sa.text(
            "SELECT count(*) FROM (SELECT name FROM app WHERE deleted_at IS NULL GROUP BY name HAVING count(*) > 1)"
            " AS repeated"
        )
    )
    if repeated:
        raise ConfigurationError(
            "INKGATE_DATABASE__URL",
            f"{repeated} app names are used in several accounts, which the older schema does not allow",
            "Delete all apps but one of each of these names",
        )
    op.drop_index("ix_console_form_use_answered", table_name="console_form_use")
    op.drop_column("console_form_use", "sealed_answer")
    op.create_index("uq_app_name_live", "app", ["name"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    op.drop_index("uq_app_name_account_live", table_name="app")
