"""Migrations make exactly the models' schema; old schemas are refused, newer ones served."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service import tables
from inkgate.service.db import engine as engines
from inkgate.service.db import migrate
from inkgate.service.db.locks import Lock
from inkgate.service.errors import ConfigurationError
from inkgate.service.permissions import Role
from inkgate.service.settings import Database
from inkgate.service.telemetry.health import Health
from inkgate.service.users import repository as users
from inkgate.service.users.models import UserRow


def partitions_aside(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("usage_record_"))


async def test_migrations_make_the_schema_of_the_models(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_object": partitions_aside})
        return list(compare_metadata(context, tables.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_current_schema_is_accepted(engine: AsyncEngine) -> None:
    await migrate.check(engine)


async def test_readiness_reads_the_migrations_once(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Config] = []

    def counted(config: Config) -> ScriptDirectory:
        loads.append(config)
        return real(config)

    real = ScriptDirectory.from_config
    monkeypatch.setattr(ScriptDirectory, "from_config", counted)
    migrate._revisions.cache_clear()
    await migrate.check(engine)  # as at the start of every gateway and console
    health = Health({"database": partial(migrate.check, engine)})
    health.mark_started()
    for _ in range(3):
        assert (await health.ready()).ok
    assert len(loads) == 1


async def test_a_database_without_schema_is_refused_with_the_remedy(fresh_url: str) -> None:
    engine = engines.create(Database(url=fresh_url))
    with pytest.raises(ConfigurationError, match=r"INKGATE_DATABASE__URL: .*no InkGate schema.*inkgate migrate"):
        await migrate.check(engine)
    await engine.dispose()


async def test_an_older_schema_is_refused_with_the_remedy(fresh_url: str) -> None:
    await migrate.upgrade_async(fresh_url)
    engine = engines.create(Database(url=fresh_url))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(ConfigurationError, match=rf"INKGATE_DATABASE__URL: .*0001.*{migrate.head()}.*inkgate migrate"):
        await migrate.check(engine)
    await engine.dispose()


async def test_a_newer_schema_is_accepted_and_not_changed(fresh_url: str) -> None:
    await migrate.upgrade_async(fresh_url)
    engine = engines.create(Database(url=fresh_url))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await migrate.upgrade_async(fresh_url)
    await migrate.check(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(migrate.current) == "9999"
    await engine.dispose()


async def test_logins_that_differ_by_case_only_survive_the_migration(fresh_url: str) -> None:
    """The oldest of them gets the unique key; the others keep their exact spelling, and users keep all they have."""
    engine = engines.create(Database(url=fresh_url))
    sign_in = next(
        each for each in ScriptDirectory(str(migrate.MIGRATIONS)).walk_revisions() if each.doc.startswith("Roles")
    )

    def to(connection: Connection, revision: str) -> None:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.run_sync(to, str(sign_in.down_revision))
        for number, login in enumerate(("lin", "Lin", "LIN", "chief")):
            await connection.execute(
                text(
                    "INSERT INTO console_user (id, login, password_hash, role, failures, must_change, created_at) "
                    "VALUES (:id, :login, 'x', 'operator', 0, :no, :at)"
                ),
                {
                    "id": str(UUID(int=9 - number)) if "postgresql" in fresh_url else UUID(int=9 - number).hex,
                    "login": login,
                    "no": False,
                    "at": datetime(2026, 1, 1 + number // 2, tzinfo=UTC),
                },
            )
    await migrate.upgrade_async(fresh_url)
    async with AsyncSession(engine) as session:
        rows = list(await session.scalars(select(UserRow).order_by(UserRow.login)))
        assert {each.login: each.login_key for each in rows} == {
            "lin": None,
            "Lin": "lin",
            "LIN": None,
            "chief": "chief",
        }
        assert {each.held_role for each in rows} == {Role.OPERATOR}
        for each in rows:
            found = await users.user_named(session, each.login)
            assert found is not None and found.id == each.id
        assert await users.is_login_taken(session, "lIN")
    await engine.dispose()


async def test_a_second_migrator_waits_for_the_first(fresh_url: str) -> None:
    engine = engines.create(Database(url=fresh_url))
    async with engine.begin() as first:  # on SQLite the write transaction itself is the lock
        if first.dialect.name == "postgresql":
            await first.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": Lock.MIGRATION.value})
        second = asyncio.ensure_future(migrate.upgrade_async(fresh_url))
        done, _ = await asyncio.wait({second}, timeout=0.3)
        assert not done
    await second
    await migrate.check(engine)
    await engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense", "sqlite:///file.db"])
def test_an_unsupported_url_is_one_line_of_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="INKGATE_DATABASE__URL"):
        engines.create(Database(url=url))
