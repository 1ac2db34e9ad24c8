"""One place that opens databases: SQLite for the embedded default, Postgres for production."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import Connection, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Database

V = TypeVar("V")

SETTING = "INKGATE_DATABASE__URL"
DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")
REMEDY = f"Use {DRIVERS[0]}:///FILE or {DRIVERS[1]}://USER:PASSWORD@HOST/DB"
BUSY_TIMEOUT_SECONDS = 5  # wait of a SQLite writer for another one; the ledger retries until its time-out
CONNECT_TIMEOUT_SECONDS = 5
COMMAND_TIMEOUT_SECONDS = 30
CLOSE_SECONDS = 5
TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
IDLE_TRANSACTION_TIMEOUT_SECONDS = 15  # a process frozen inside a transaction must not keep its locks


def create(database: Database) -> AsyncEngine:
    """An engine for `database.url`; nothing is connected yet. Raises ConfigurationError for an unsupported URL."""
    try:
        url = make_url(database.url)
    except ArgumentError:
        raise ConfigurationError(SETTING, "not a database URL", REMEDY) from None
    if url.drivername not in DRIVERS:
        raise ConfigurationError(SETTING, f"no driver for {url.drivername}", REMEDY)
    if url.get_backend_name() == "sqlite":
        return _sqlite(database)
    url, tls = _tls(url)
    return create_async_engine(
        url,
        pool_size=database.pool_size,
        max_overflow=database.pool_size,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_pre_ping=False,  # the ledger repeats a batch on a lost connection; a ping on every settle would cost more
        connect_args={
            **tls,
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": COMMAND_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": "inkgate",
                "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_TIMEOUT_SECONDS}s",
            },
        },
    )


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[AsyncEngine]:
    """An engine that is closed at the end. Raises ConfigurationError for an unsupported URL."""
    engine = create(database)
    try:
        yield engine
    finally:
        await close(engine)


async def close(engine: AsyncEngine) -> None:
    """Close all connections. A session whose work was cancelled gives its connection back in a task of its own: such
    connections are waited for, at most CLOSE_SECONDS, since one given back later would stay open."""
    in_use = getattr(engine.sync_engine.pool, "checkedout", lambda: 0)
    deadline = time.monotonic() + CLOSE_SECONDS
    while in_use() and time.monotonic() < deadline:  # noqa: ASYNC110 - a pool has no event for it
        await asyncio.sleep(0.01)
    await engine.dispose()


@asynccontextmanager
async def reading_connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A read-only connection; on SQLite it does not block writers."""
    async with engine.execution_options(read_only=True).connect() as connection:
        yield connection


def consistent(engine: AsyncEngine) -> AsyncEngine:
    """The engine with snapshot isolation (REPEATABLE READ on Postgres; SQLite always has it)."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


def is_stale_plan(error: Exception) -> bool:
    """Whether Postgres refused a prepared statement because a migration changed a type in its result. The driver has
    dropped its prepared statements then, so that a retry succeeds."""
    stale = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
    return isinstance(error, DBAPIError) and isinstance(error.orig, stale)


async def retry_stale_plan(read: Callable[[], Awaitable[V]]) -> V:
    """The result of `read`, which changes nothing; it is called once more after `is_stale_plan`."""
    try:
        return await read()
    except DBAPIError as error:
        if not is_stale_plan(error):
            raise
    return await read()


def reason(error: Exception) -> str:
    """The first line of an error's text, or its class name: a timeout has no text."""
    return str(error).partition("\n")[0] or type(error).__name__


def _tls(url: URL) -> tuple[URL, dict[str, str]]:
    """The URL without libpq's TLS parameters, and the asyncpg argument that contains them.

    psql and pg_dump take the same parameters. SQLAlchemy would pass them as arguments that asyncpg does not have; in a
    DSN asyncpg accepts them. Raises ConfigurationError for a mode that does not exist or a file that cannot be read.
    """
    query = {name: str(value) for name, value in url.query.items() if name in ("sslmode", *TLS_FILES)}
    if not query:
        return url, {}
    if query.get("sslmode", "prefer") not in TLS_MODES:
        raise ConfigurationError(SETTING, f"no sslmode {query['sslmode']!r}", f"Use one of {', '.join(TLS_MODES)}")
    for name in TLS_FILES:
        if name in query and not Path(query[name]).is_file():
            raise ConfigurationError(SETTING, f"{name}: no such file {query[name]}", "Name a PEM file")
    return url.difference_update_query(query), {"dsn": f"postgresql://?{urlencode(query)}"}


def _sqlite(database: Database) -> AsyncEngine:
    engine = create_async_engine(database.url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is issued below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # WAL with NORMAL may forget a committed settle when power fails
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads, then writes, fails with "database is locked" without waiting.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
