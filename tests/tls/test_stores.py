"""Everything over TLS to Postgres and Redis, with a Redis user of few permissions; invalid connections are refused."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError, NoPermissionError
from sqlalchemy import text

from inkgate.service.accounts import vault as vaults
from inkgate.service.broker.streams import client
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.errors import ConfigurationError
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security
from tests.crash.chaos.clients import Clients
from tests.crash.chaos.stack import Gateway
from tests.crash.processes import WorkerHost, python
from tests.tls import servers
from tests.tls.authority import Authority
from tests.valkey import free_port

pytestmark = pytest.mark.ops


@dataclass(frozen=True)
class Stores:
    """Two servers whose certificates are for `localhost`, and the parameters that make a client verify them."""

    folder: Path
    database: str
    redis: str
    ca: Path
    other_ca: Path

    def database_url(self, ca: Path, *, mode: str = "verify-full") -> str:
        return f"{self.database}?sslmode={mode}&sslrootcert={ca}"

    def redis_url(self, ca: Path) -> str:
        return f"{self.redis}?ssl_ca_certs={ca}"


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inkgate-tls-")))
        folder.chmod(0o755)  # the database's own user has to get there
        authority, other = Authority(folder, "ours"), Authority(folder, "other")
        database = stack.enter_context(servers.postgres(folder / "postgres", authority, free_port()))
        redis = stack.enter_context(servers.redis(folder / "redis", authority, free_port()))
        yield Stores(folder, database, redis, authority.path, other.path)


async def _account(url: str, key_file: Path) -> Keys:
    await migrate.upgrade_async(url)
    engine = databases.create(Database(url=url))
    vault = vaults.load(Security(master_key_file=key_file), Database(url=url))
    keys = await provision(engine, vault, 10_000.0, refused=False)
    await engine.dispose()
    return keys


async def test_calls_are_answered_with_every_store_behind_tls(stores: Stores, tmp_path: Path) -> None:
    database, queue, key_file = stores.database_url(stores.ca), stores.redis_url(stores.ca), tmp_path / "master.key"
    vaults.write(key_file, [vaults.new_key()])
    keys = await _account(database, key_file)
    settings: dict[str, object] = {
        "DATABASE__URL": database,
        "REDIS__URL": queue,
        "SECURITY__MASTER_KEY_FILE": key_file,
        "TELEMETRY__LOG_FORMAT": "text",
    }
    host, gateway = WorkerHost(queue, "inkgate", 1), Gateway(settings)
    gateway.start()
    try:
        await asyncio.gather(host.ready(), gateway.ready())
        clients = Clients(f"http://127.0.0.1:{gateway.port}", keys, 20.0)
        await clients.run(2.0)
        assert len(clients.calls) > 10 and {call.capability for call in clients.calls} >= {"general", "licence"}
        assert [attempt.result for call in clients.calls for attempt in call.attempts] == ["ok"] * len(clients.calls)
        assert await _plain_sessions(database) == []
        address = f"http://127.0.0.1:{gateway.port}"
        doctor = python("-m", "inkgate.service.cli", "doctor", "--gateway", address, **settings)
        assert await asyncio.to_thread(doctor.wait, 60) == 0
    finally:
        gateway.kill()
        await asyncio.to_thread(host.end)


async def _plain_sessions(url: str) -> list[int]:
    """Process ids of our sessions that are not encrypted; fails when ours are not seen at all."""
    engine = databases.create(Database(url=url))
    seen = "SELECT pid, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'inkgate'"
    async with engine.connect() as connection:
        sessions = list(await connection.execute(text(seen)))
    await engine.dispose()
    assert len(sessions) > 1
    return [pid for pid, encrypted in sessions if not encrypted]


async def _connects(url: str) -> None:
    engine = databases.create(Database(url=url))
    try:
        async with engine.connect():
            pass
    finally:
        await engine.dispose()


async def test_a_certificate_of_another_authority_is_refused(stores: Stores) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await _connects(stores.database_url(stores.other_ca))
    with (
        client.blocking_client(stores.redis_url(stores.other_ca)) as redis,
        pytest.raises(ConnectionError, match="verify"),
    ):
        redis.ping()


async def test_a_certificate_for_another_host_is_refused(stores: Stores) -> None:
    """The right authority, but the host name is 127.0.0.1."""
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        await _connects(stores.database_url(stores.ca).replace("@localhost", "@127.0.0.1"))
    await _connects(stores.database_url(stores.ca, mode="verify-ca").replace("@localhost", "@127.0.0.1"))
    url = stores.redis_url(stores.ca).replace("@localhost", "@127.0.0.1")
    with client.blocking_client(url) as redis, pytest.raises(ConnectionError, match="IP address mismatch"):
        redis.ping()
    async_client = client.async_client(url, 1)
    with pytest.raises(ConnectionError, match="IP address mismatch"):
        await async_client.ping()
    await async_client.aclose()


async def test_no_connection_is_unencrypted(stores: Stores) -> None:
    with pytest.raises(Exception, match="no pg_hba"):
        await _connects(f"{stores.database}?sslmode=disable")
    with client.blocking_client(stores.redis.replace("rediss://", "redis://")) as redis, pytest.raises(ConnectionError):
        redis.ping()


def test_the_redis_user_has_only_the_permissions_it_needs(stores: Stores) -> None:
    with client.blocking_client(stores.redis_url(stores.ca)) as redis:
        redis.set("inkgate:answer:x", b"kept", px=1000)
        for command in (
            ("SET", "other:x", "1"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("KEYS", "*"),
            ("ACL", "LIST"),
            ("SHUTDOWN",),
            ("MONITOR",),
            ("PUBLISH", "inkgate", "x"),
            ("SCAN", "0"),
        ):
            with pytest.raises(NoPermissionError):
                redis.execute_command(*command)


@pytest.mark.parametrize("word", ["sslrootcert=/nowhere.pem", "sslmode=verify-everything"])
def test_invalid_tls_parameters_of_postgres_are_one_line(word: str) -> None:
    with pytest.raises(ConfigurationError, match=r"INKGATE_DATABASE__URL: (sslrootcert: no such file|no sslmode)"):
        databases.create(Database(url=f"postgresql+asyncpg://u:p@localhost/d?{word}"))


def test_a_missing_file_is_one_line_for_redis() -> None:
    with pytest.raises(ConfigurationError, match=r"INKGATE_REDIS__URL: ssl_ca_certs: no such file /nowhere.pem"):
        client.async_client("rediss://localhost/0?ssl_ca_certs=/nowhere.pem", 1)
