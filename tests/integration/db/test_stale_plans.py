"""A migration that changes a column's type makes prepared statements invalid: calls must not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import String, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.sql_directory import SqlDirectory
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.settings import Database
from inkgate.service.tables import metadata
from tests.ledger_data import CustomerData
from tests.postgres import Postgres

WIDENED = "; ".join(
    f'ALTER TABLE {table.name} ALTER COLUMN "{column.name}" TYPE VARCHAR({column.type.length + 1})'
    for table in metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, String) and column.type.length
)


@pytest.fixture
async def migrated(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """An engine of one connection, so that each statement meets the one that was prepared."""
    url = await asyncio.to_thread(postgres.empty)
    await asyncio.to_thread(migrate.upgrade, url)
    engine = engines.create(Database(url=url, pool_size=1))
    yield engine
    await engine.dispose()


async def widen(engine: AsyncEngine, postgres: Postgres) -> None:
    """Change every text column that has a length, as another process would."""
    await asyncio.to_thread(postgres.execute, WIDENED, engine.url.database)


async def test_a_prepared_statement_is_refused_once(migrated: AsyncEngine, postgres: Postgres) -> None:
    async def names() -> list[str]:
        async with engines.reading_connection(migrated) as connection:
            return list(await connection.scalars(text("SELECT id FROM product ORDER BY id")))

    before = await names()
    await widen(migrated, postgres)
    with pytest.raises(DBAPIError) as refused:
        await names()
    assert engines.is_stale_plan(refused.value)
    assert await names() == before


async def test_reading_is_repeated(migrated: AsyncEngine, postgres: Postgres) -> None:
    customer = await CustomerData.build(migrated)
    await customer.grant(10)
    directory = SqlDirectory(migrated, customer.vault, ttl=0.0, clock=customer.clock)
    ledger = customer.ledger()
    app_id = customer.app.app_id

    async def call() -> None:
        assert await directory.access_key(customer.keys.ak) is not None
        assert await directory.app(customer.app.appkey) is not None
        await ledger.admit(customer.account_id, app_id, "general", 1)

    await call()
    await widen(migrated, postgres)
    await call()
    await directory.close()
