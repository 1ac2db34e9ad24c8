"""Databases for temporary services on a Postgres server of the operator, apart from what is there."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url

from inkgate.service.db import engine as databases
from inkgate.service.settings import Database

PREFIX = "inkgate_chaos_"
Opened = AbstractAsyncContextManager[str]


@asynccontextmanager
async def postgres(server: str) -> AsyncIterator[str]:
    """The URL of a new, empty database on the server of a URL; dropped at the end. No database that exists is touched.

    Raises SQLAlchemyError where the role may not create databases.
    """
    name = f"{PREFIX}{secrets.token_hex(6)}"
    await _execute(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: str, statement: str) -> None:
    async with (
        databases.opened(Database(url=server)) as engine,
        engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection,
    ):
        await connection.execute(text(statement))
