"""`inkgate migrate`: upgrades the database to the schema of this release."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from inkgate.service import settings as configuration
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate as migrations
from inkgate.service.errors import DatabaseDown


def migrate() -> None:
    """Bring the database to the schema of this release. Several at once are safe: one works, the others wait."""
    settings = configuration.load()
    try:
        migrations.upgrade(settings.database.url)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseDown(f"cannot migrate: {engines.reason(error)}. Check {engines.SETTING}") from None
    print(f"schema {migrations.head()}")
