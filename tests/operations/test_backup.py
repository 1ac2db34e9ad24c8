"""The commands of docs/howto/back-up.md: backup under load, loss, restore on another server, calls continue."""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security
from tests.crash.chaos.clients import Clients
from tests.crash.chaos.stack import Gateway, PostgresServer, Stack
from tests.crash.processes import python
from tests.operations.page import commands, perform
from tests.postgres import Postgres
from tests.valkey import free_port

RATE = 10.0


async def traffic(url: str, keys: Keys, seconds: float) -> Clients:
    """Signed calls for `seconds`, each answered at its first attempt."""
    clients = Clients(url, keys, RATE)
    await clients.run(end=seconds)
    assert len(clients.calls) > seconds
    assert [attempt.result for call in clients.calls for attempt in call.attempts] == ["ok"] * len(clients.calls)
    return clients


@pytest.fixture
async def stack() -> AsyncIterator[tuple[Stack, Keys]]:
    made = Stack(gateways=1, hosts=1)
    try:
        yield made, await made.start()
    finally:
        await made.close()


@pytest.fixture
async def fresh() -> AsyncIterator[PostgresServer]:
    """Another, empty server."""
    with tempfile.TemporaryDirectory(prefix="inkgate-pg-") as folder:
        server = await asyncio.to_thread(PostgresServer, Path(folder))
        yield server
        await asyncio.to_thread(server.close)


async def test_postgres_is_backed_up_under_load_and_restored_elsewhere(
    stack: tuple[Stack, Keys], fresh: PostgresServer, tmp_path: Path
) -> None:
    (old, keys), new = stack, Postgres(fresh.dsn)
    before = await traffic(f"http://127.0.0.1:{old.proxy.port}", keys, 1.5)
    running = asyncio.create_task(traffic(f"http://127.0.0.1:{old.proxy.port}", keys, 4))
    await asyncio.sleep(1)
    await asyncio.to_thread(perform, commands("back-up", "备份"), tmp_path, FROM=old.postgres.dsn)
    during = await running
    charged = await old.charged()
    old.gateways[0].kill()
    await asyncio.to_thread(old.postgres.kill)

    target = fresh.dsn.replace("/postgres?", "/inkgate?")
    output = await asyncio.to_thread(perform, commands("back-up", "恢复"), tmp_path, SERVER=fresh.dsn, TO=target)
    assert "the ledger is sound" in output
    found = re.search(r"^ *(\d+) \| +\d+ \|", output, re.MULTILINE)
    assert found, output
    assert len(before.calls) < int(found[1]) < len(before.calls) + len(during.calls), "up to the moment of the dump"
    restored = await old.charged(new.url("inkgate"))
    assert restored.items() <= charged.items()
    assert {call.request_id for call in before.calls} & set(charged) <= set(restored)

    gateway = Gateway({**old.settings, "DATABASE__URL": new.url("inkgate")})
    gateway.start()
    try:
        await gateway.ready()
        await traffic(f"http://127.0.0.1:{gateway.port}", keys, 1.5)
    finally:
        gateway.kill()
    output = await asyncio.to_thread(
        perform, "inkgate ledger verify", tmp_path, INKGATE_DATABASE__URL=new.url("inkgate")
    )
    assert "the ledger is sound" in output


async def test_sqlite_is_backed_up_under_load_and_restored(tmp_path: Path) -> None:
    url, port = f"sqlite+aiosqlite:///{tmp_path}/inkgate.db", free_port()
    await asyncio.to_thread(migrate.upgrade, url)
    vaults.write(tmp_path / "inkgate.db.key", [vaults.new_key()])
    engine = databases.create(Database(url=url))
    keys = await provision(engine, vaults.load(Security(), Database(url=url)), 10_000.0, refused=False)
    await engine.dispose()

    def serve() -> Gateway:
        """`inkgate serve` with the methods of a gateway: start, ready, signal."""
        one = Gateway({})
        one.port = port
        one.start = lambda: setattr(  # type: ignore[method-assign]
            one,
            "process",
            python(
                "-m",
                "inkgate.service.cli",
                "serve",
                "--port",
                str(port),
                DATABASE__URL=url,
                ENGINE__RUNTIME="stub",
                WORKER__PROCESSES=1,
                TELEMETRY__LOG_LEVEL="error",
            ),
        )
        one.start()
        return one

    def run(title: str) -> str:
        """Run a block of the page in the folder of the test."""
        return perform(commands("back-up", title).replace("/var/lib/inkgate", str(tmp_path)), tmp_path)

    service = serve()
    try:
        await service.ready()
        running = asyncio.create_task(traffic(f"http://127.0.0.1:{port}", keys, 3))
        await asyncio.sleep(1.5)
        await asyncio.to_thread(run, "SQLite 备份")
        await running
        service.signal(signal.SIGTERM)
        assert service.process is not None
        await asyncio.to_thread(service.process.wait, 30)
        assert "the ledger is sound" in await asyncio.to_thread(run, "SQLite 恢复")
        service = serve()
        await service.ready()
        await traffic(f"http://127.0.0.1:{port}", keys, 1.5)
        output = await asyncio.to_thread(perform, "inkgate ledger verify", tmp_path, INKGATE_DATABASE__URL=url)
        assert "the ledger is sound" in output
    finally:
        service.kill()
