"""App names are unique within an account.

A release before this one works on the schema: it still refuses a name that any account has.
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
    op.create_index("uq_app_name_live", "app", ["name"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    op.drop_index("uq_app_name_account_live", table_name="app")
