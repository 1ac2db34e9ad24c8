"""`inkgate gateway --workers 2`: two processes on one port; one is killed, all are drained."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.provision import provision
from inkgate.service.settings import Database, Security
from tests.crash.chaos.clients import Clients
from tests.crash.processes import WorkerHost, gone, python
from tests.http_client import local_client
from tests.postgres import Postgres
from tests.valkey import free_port


@pytest.fixture
def namespace() -> str:
    return f"gw-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def clients(
    postgres: Postgres, valkey_server: str, tmp_path: Path, namespace: str
) -> AsyncIterator[tuple[Clients, int, int]]:
    """Clients of a running pair; with them the supervisor's pid and its port for health and metrics."""
    url, key_file = await asyncio.to_thread(postgres.wiped), tmp_path / "key"
    vaults.write(key_file, [vaults.new_key()])
    engine = databases.create(Database(url=url))
    vault = vaults.load(Security(master_key_file=key_file), Database(url=url))
    keys = await provision(engine, vault, 10_000.0, refused=False)
    await engine.dispose()
    port, health = free_port(), free_port()
    host = WorkerHost(valkey_server, namespace, 1)
    gateways = python(
        "-m",
        "inkgate.service.cli",
        "gateway",
        "--workers",
        "2",
        "--port",
        str(port),
        REDIS__URL=valkey_server,
        REDIS__NAMESPACE=namespace,
        DATABASE__URL=url,
        SECURITY__MASTER_KEY_FILE=key_file,
        SERVER__HEALTH_PORT=health,
        TELEMETRY__LOG_FORMAT="text",
    )
    try:
        await host.ready()
        async with local_client() as http, asyncio.timeout(120):
            while not await _ready(http, health):
                assert gateways.poll() is None, "the supervisor ended"
                await asyncio.sleep(0.1)
        yield Clients(f"http://127.0.0.1:{port}", keys, 20.0), gateways.pid, health
        gateways.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateways.wait, 30) == 0, "a drained gateway leaves with 0"
    finally:
        gateways.kill()
        gateways.wait()
        await asyncio.to_thread(host.end)


async def _ready(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


async def test_one_of_two_is_killed_and_every_client_is_answered(clients: tuple[Clients, int, int]) -> None:
    traffic, pid, health = clients
    children = [child.pid for child in psutil.Process(pid).children()]
    assert len(children) == 2
    running = asyncio.create_task(traffic.run(end=traffic.now() + 4))
    await asyncio.sleep(1)
    os.kill(children[0], signal.SIGKILL)
    assert await gone(children[0], 2.0)
    await running
    assert all(call.delivered for call in traffic.calls)
    assert {attempt.result for call in traffic.calls for attempt in call.attempts} <= {"ok", "error"}
    # Both processes report to the supervisor every five seconds; what the dead one had counted is not lost.
    deadline, text = time.monotonic() + 20, ""
    async with local_client() as http:
        while 'capability="general",code="0",outcome="success"' not in text and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            text = (await http.get(f"http://127.0.0.1:{health}/metrics")).text
    assert "inkgate_requests_total" in text and 'outcome="success"' in text


async def test_malformed_replies_stop_no_gateway(
    clients: tuple[Clients, int, int], valkey_server: str, namespace: str
) -> None:
    traffic, _, health = clients
    await traffic.run(end=traffic.now() + 2)
    with redis.Redis.from_url(valkey_server, protocol=2) as server:
        listening = list(server.scan_iter(f"{{{namespace}}}:r:*"))
        assert listening
        new_field = b'{"call_id": "x", "number": 0, "outcome": "read", "element": {}, "colour": "red"}'
        for stream in listening:
            for message in (b"nonsense", b"{}", new_field):
                server.xadd(stream, {"reply": message})
    await traffic.run(end=traffic.now() + 3)
    assert all(call.delivered for call in traffic.calls)
    deadline, expected = time.monotonic() + 30, 2.0 * len(listening)
    async with local_client() as http:
        assert await _ready(http, health)
        counted = 0.0
        while counted < expected and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            text = (await http.get(f"http://127.0.0.1:{health}/metrics")).text
            counted = max(
                float(line.rsplit(" ", 1)[1])
                for line in text.splitlines()
                if line.startswith('inkgate_malformed_messages_total{kind="reply"}')
            )
    assert counted == expected
    assert 'inkgate_background_task_restarts_total{task="reply-listener"} 0.0' in text
