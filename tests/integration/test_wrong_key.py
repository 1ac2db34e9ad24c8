"""A part that is given the master key of another database says so and does not start."""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import rotation
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts import vault as vaults
from inkgate.service.accounts.opening import open_vault
from inkgate.service.accounts.vault import Vault, key_id, new_key
from inkgate.service.db import engine as databases
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.provision import provision
from inkgate.service.settings import Database, Security, Settings
from tests.crash.processes import python
from tests.postgres import Postgres
from tests.valkey import free_port

WRONG = "A" * 43 + "="  # base64 of 32 bytes
PATIENCE = 120.0  # seconds for a start on a busy machine


async def _made_with(url: str, key: bytes) -> None:
    engine = databases.create(Database(url=url))
    await provision(engine, Vault([key]), 10.0, refused=False)
    await engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [("gateway",), ("gateway", "--workers", "2"), ("console",), ("serve",), ("account", "create", "another")],
    ids=" ".join,
)
def test_it_does_not_start(arguments: tuple[str, ...], postgres: Postgres, valkey_server: str, tmp_path: Path) -> None:
    url, key, log = postgres.wiped(), new_key(), tmp_path / "log"
    asyncio.run(_made_with(url, key))
    with log.open("wb") as sink:
        process = python(
            "-m",
            "inkgate.service.cli",
            *arguments,
            log=sink,
            DATABASE__URL=url,
            SECURITY__MASTER_KEY=WRONG,
            REDIS__URL=valkey_server,
            REDIS__NAMESPACE=uuid.uuid4().hex[:8],
            SERVER__PORT=free_port(),
            SERVER__HEALTH_PORT=0,
            CONSOLE__PORT=0,
            CONSOLE__GATEWAY_URL="http://127.0.0.1:1",
            ENGINE__RUNTIME="stub",
            WORKER__PROCESSES=1,
        )
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
    said = log.read_text()
    lines = [line for line in said.splitlines() if "opens none of the stored secrets" in line]
    assert status != 0 and lines, said
    assert key_id(key).hex() in lines[-1] and "Give the key that this database was made with" in lines[-1]
    assert "Traceback" not in said and WRONG not in said


def given(*keys: bytes) -> Settings:
    return Settings(security=Security(master_key=",".join(map(_base64, keys))))  # type: ignore[arg-type]


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()


async def test_every_step_of_a_rotation_starts(engine: AsyncEngine, caplog: pytest.LogCaptureFixture) -> None:
    old, new = new_key(), new_key()
    await open_vault(given(new), engine)  # nothing is sealed yet
    await provision(engine, Vault([old]), 10.0, refused=False)
    with pytest.raises(ConfigurationError, match="opens none"):
        await open_vault(given(new), engine)
    for keys in ((old,), (new, old)):
        await open_vault(given(*keys), engine)
    await rotation.reseal(partial(work.unit_of_work, engine, "test"), Vault([new, old]))
    await open_vault(given(new), engine)
    with pytest.raises(ConfigurationError, match="opens none"):
        await open_vault(given(old), engine)
    assert not caplog.records


async def test_what_can_be_opened_is_served_and_the_rest_is_logged(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    lost, held = new_key(), new_key()
    for key in (lost, held):
        async with work.unit_of_work(engine, "test") as unit:
            account = await accounts.create_account(unit, f"account {key.hex()[:8]}")
            await accounts.create_access_key(unit, Vault([key]), account.id)
    with caplog.at_level(logging.ERROR):
        await open_vault(given(held), engine)
    (record,) = caplog.records
    assert record.sealed_under == vaults.key_id(lost).hex()  # type: ignore[attr-defined]
