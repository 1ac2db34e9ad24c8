"""Migrates a database to the schema of this release; the service does not run on an older one.

Migrations expand first and contract one release later, so gateways of the previous release work on the new schema.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import engine as engines
from inkgate.service.db import locks
from inkgate.service.db.catalogue import add_products
from inkgate.service.db.locks import Lock
from inkgate.service.errors import ConfigurationError, DatabaseDown
from inkgate.service.settings import Database

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(url: str) -> None:
    """Migrate the database at `url` to the newest schema. For callers without an event loop."""
    asyncio.run(upgrade_async(url))


async def upgrade_async(url: str) -> None:
    """Migrate the database at `url` to the newest schema, and add the products of capabilities that have none, in one
    transaction, one migrator at a time."""
    async with engines.opened(Database(url=url)) as engine, engine.begin() as connection:
        await locks.acquire(connection, Lock.MIGRATION)
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if current(connection) not in _known():
        return  # migrated by a newer release, whose schema is compatible
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    add_products(connection)


async def check(engine: AsyncEngine) -> None:
    """Raise ConfigurationError when the database has no schema, or an older one than this release needs.

    Raises DatabaseDown when it cannot be reached.
    """
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(current)
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseDown(f"the database cannot be used: {engines.reason(error)}. Check {engines.SETTING}") from error
    if found in _known() and found != head():
        state = f"holds schema {found}" if found else "holds no InkGate schema"
        raise ConfigurationError(
            engines.SETTING, f"the database {state}, this release needs {head()}", "Run `inkgate migrate`"
        )


def current(connection: Connection) -> str | None:
    """The revision that the database is at, None when it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def head() -> str:
    """The newest revision that this release knows."""
    return _revisions()[0]


def known(revision: str) -> bool:
    """Whether this release knows a revision; one that it does not is of a newer release."""
    return revision in _known()


def _known() -> frozenset[str | None]:
    return _revisions()[1]


@cache
def _revisions() -> tuple[str, frozenset[str | None]]:
    """The newest revision and all of them, None for an empty database among them. Read from the files once:
    readiness needs them every few seconds, on the event loop."""
    scripts = ScriptDirectory.from_config(_config())
    newest = scripts.get_current_head()
    assert newest is not None
    return newest, frozenset({None, *(script.revision for script in scripts.walk_revisions())})


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
