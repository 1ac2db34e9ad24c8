"""Two gateways on Postgres and Redis: one change works at both, a repeat goes the same way at either, and mirrored
calls are read through the shared queue."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db.work import unit_of_work
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode
from tests.crash.processes import WorkerHost, python
from tests.postgres import Postgres
from tests.takeover.traffic import Caller, Seen
from tests.valkey import free_port

CLOUD_BODY = b'{"statusCode":0,"message":{"success":1,"fail":0},"returnObj":[],"cloud":true}'
EFFECTIVE_SECONDS = 5.0


@dataclass
class CloudServer:
    """Answers every call with CLOUD_BODY; `ids` are the request ids received."""

    port: int = 0
    ids: list[str] = field(default_factory=list)


@pytest.fixture
def cloud_server() -> Iterator[CloudServer]:
    made = CloudServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            made.ids.append(self.headers["ctyun-eop-request-id"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(CLOUD_BODY)))
            self.end_headers()
            self.wfile.write(CLOUD_BODY)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@dataclass
class Pair:
    """Two gateways, one fleet of workers."""

    engine: AsyncEngine
    keys: Keys
    bases: tuple[str, str]

    async def route(self, mode: Mode, percent: int | None = None) -> None:
        async with unit_of_work(self.engine, "test") as work:
            app = await accounts.app_by_key(work.session, self.keys.appkey)
            assert app is not None
            await routes.set_route(work, app.id, "idcard", mode, percent=percent, enabled=True)

    async def units(self) -> int:
        async with self.engine.connect() as connection:
            return int(await connection.scalar(text("SELECT COALESCE(SUM(units), 0) FROM usage_record")) or 0)


@pytest.fixture
async def pair(
    postgres: Postgres, valkey_server: str, tmp_path: Path, cloud_server: CloudServer
) -> AsyncIterator[Pair]:
    url, key_file, namespace = await asyncio.to_thread(postgres.wiped), tmp_path / "key", f"to-{uuid.uuid4().hex[:8]}"
    vaults.write(key_file, [vaults.new_key()])
    engine = databases.create(Database(url=url))
    vault = vaults.load(Security(master_key_file=key_file), Database(url=url))
    keys = await provision(engine, vault, 10_000.0, refused=False)
    settings = {
        "REDIS__URL": valkey_server,
        "REDIS__NAMESPACE": namespace,
        "DATABASE__URL": url,
        "SECURITY__MASTER_KEY_FILE": key_file,
        "TELEMETRY__LOG_FORMAT": "text",
        "TAKEOVER__URL": f"http://127.0.0.1:{cloud_server.port}",
    }
    host = WorkerHost(valkey_server, namespace, 1)
    ports = [free_port(), free_port()]
    gateways = [python("-m", "inkgate.service.cli", "gateway", "--port", str(port), **settings) for port in ports]
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    try:
        await host.ready(within=120)
        async with httpx.AsyncClient() as http, asyncio.timeout(120):
            for base in bases:
                while not await _ready(http, base):
                    await asyncio.sleep(0.1)
        yield Pair(engine, keys, (bases[0], bases[1]))
    finally:
        for each in gateways:
            each.send_signal(signal.SIGTERM)
        for each in gateways:
            await asyncio.to_thread(each.wait, 60)
        await asyncio.to_thread(host.end)
        await engine.dispose()


async def _ready(http: httpx.AsyncClient, base: str) -> bool:
    try:
        return (await http.get(f"{base}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


def of_cloud(each: Seen) -> bool:
    assert each.status == 200 and json.loads(each.body)["statusCode"] == 0
    return each.body == CLOUD_BODY


async def test_two_gateways_follow_one_route(pair: Pair, cloud_server: CloudServer) -> None:
    first, second = (Caller(base, pair.keys) for base in pair.bases)

    async def effective(*, cloud: bool) -> None:
        """Wait until both gateways answer by the new route; checks that it takes them seconds only."""
        begin = time.monotonic()
        for caller in (first, second):
            while of_cloud(await asyncio.to_thread(caller.call)) is not cloud:
                assert time.monotonic() - begin < EFFECTIVE_SECONDS
                await asyncio.sleep(0.1)

    await effective(cloud=False)
    await pair.route(Mode.MIRROR)
    await effective(cloud=True)
    units = await pair.units()
    for caller in (first, second):
        for _ in range(5):
            assert of_cloud(await asyncio.to_thread(caller.call))
    assert await pair.units() == units
    await _wait_read(pair, 10)

    await pair.route(Mode.SPLIT, 50)
    await asyncio.sleep(EFFECTIVE_SECONDS)
    cloud_server.ids.clear()
    ids = [str(uuid.uuid4()) for _ in range(30)]
    at_first = [of_cloud(await asyncio.to_thread(first.call, request_id=each)) for each in ids]
    await asyncio.sleep(1)  # all are acknowledged: none is kept for a replay, which would be free
    at_second = [of_cloud(await asyncio.to_thread(second.call, request_id=each)) for each in ids]
    assert at_first == at_second and True in at_first and False in at_first
    away = [each for each, cloud in zip(ids, at_first, strict=True) if cloud]
    assert sorted(cloud_server.ids) == sorted(2 * away)
    assert await pair.units() - units == 2 * (len(ids) - len(away))

    await pair.route(Mode.LOCAL)
    await effective(cloud=False)


async def _wait_read(pair: Pair, count: int) -> None:
    """Wait until the gateways together have read so many mirrored calls through Redis."""
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            read = 0.0
            for base in pair.bases:
                for line in (await http.get(f"{base}/metrics")).text.splitlines():
                    if line.startswith("inkgate_takeover_shadow_total") and 'result="read"' in line:
                        read += float(line.rsplit(" ", 1)[1])
            if read >= count:
                return
            await asyncio.sleep(0.2)
