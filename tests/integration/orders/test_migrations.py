"""The migrations of payments and balances go forth and back, on both databases."""

from __future__ import annotations

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.settings import Database
from tests.postgres import migrated_to

FIRST, LAST = "0015", "0016"


def schema(connection: Connection) -> tuple[bool, set[str], set[str]]:
    """Whether there are balances, and the columns and indexes of orders."""
    found = inspect(connection)
    columns = {each["name"] for each in found.get_columns("pack_order")}
    indexes = {str(each["name"]) for each in found.get_indexes("pack_order")}
    return "balance_entry" in found.get_table_names(), columns, indexes


async def test_the_migrations_go_forth_and_back(fresh_url: str) -> None:
    before = ScriptDirectory(str(migrate.MIGRATIONS)).get_revision(FIRST).down_revision
    engine = engines.create(Database(url=fresh_url))
    found = []
    for change, revision in (
        (command.upgrade, str(before)),
        (command.upgrade, LAST),
        (command.downgrade, str(before)),
        (command.upgrade, LAST),
    ):
        async with engine.begin() as connection:
            await connection.run_sync(migrated_to, change, revision)
            found.append(await connection.run_sync(schema))
    old, new, back, again = found
    assert (old, new) == (back, again)
    assert not old[0] and new[0] and {"payment", "paid_at", "voucher_number"} == new[1] - old[1]
    assert {"ix_pack_order_state", "ix_pack_order_decided"} == new[2] - old[2]
    await engine.dispose()
