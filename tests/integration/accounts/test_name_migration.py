"""The migration of app names goes forth and back on both databases; back it refuses names that repeat."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Database
from tests.postgres import migrated_to

BEFORE, AFTER = "0017", "0018"


def schema(connection: Connection) -> dict[str, list[str | None]]:
    """Unique indexes of apps with their columns."""
    found = inspect(connection).get_indexes("app")
    return {str(each["name"]): each["column_names"] for each in found if each["unique"]}


async def test_names_survive_the_way_forth_and_back_unless_they_repeat(fresh_url: str) -> None:
    engine, vault = engines.create(Database(url=fresh_url)), Vault([new_key()])

    async def move(change: Callable[[Config, str], None], revision: str) -> dict[str, list[str | None]]:
        async with engine.begin() as connection:
            await connection.run_sync(migrated_to, change, revision)
            return await connection.run_sync(schema)

    await move(command.upgrade, "head")
    async with work.unit_of_work(engine, "test") as unit:
        for account in ("青禾", "城东"):
            owner = await accounts.create_account(unit, account)
            await accounts.create_app(unit, vault, owner.id, f"app_{len(account)}_{account}")
            made = await accounts.create_app(unit, vault, owner.id, "默认应用")
    with pytest.raises(
        ConfigurationError,
        match=r"^INKGATE_DATABASE__URL: 1 app names are used in several accounts, .*Delete all apps but one",
    ):
        await move(command.downgrade, BEFORE)
    async with engine.begin() as connection:
        new = await connection.run_sync(schema)
    assert new["uq_app_name_account_live"] == ["name", "account_id"] and "uq_app_name_live" not in new
    async with work.unit_of_work(engine, "test") as unit:
        await accounts.delete_app(unit, made.app_id)
    old = await move(command.downgrade, BEFORE)
    assert old["uq_app_name_live"] == ["name"] and "uq_app_name_account_live" not in old
    assert await move(command.upgrade, AFTER) == new
    async with work.read_session(engine) as session:
        assert len(await repository.live_apps_named(session, "默认应用", None, 5)) == 1
    await engine.dispose()
