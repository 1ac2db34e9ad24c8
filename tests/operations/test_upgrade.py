"""The commands of docs/howto/upgrade.md: migration and replacement of the previous release under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from inkgate.service.accounts import vault as vaults
from inkgate.service.db import migrate
from inkgate.service.provision import Keys
from tests.crash.chaos.clients import Clients
from tests.crash.chaos.proxy import Proxy
from tests.crash.chaos.stack import Gateway
from tests.crash.processes import WorkerHost
from tests.http_client import local_client
from tests.operations import releases
from tests.operations.page import ROOT, commands, perform
from tests.postgres import Postgres
from tests.valkey import Valkey, free_port

STRICT_READERS = "3c61baa2f90a7422bff501268018cc6e0ae5a672"
"""The last commit whose gateways fail on a reply with an unknown field, and whose workers on an odd stream entry."""
TODAY = "inkgate.service"
"""The package that stands for SERVICE in the scripts below; releases up to 0.1.0 called it `service`."""

PROVISION = """
import asyncio, dataclasses, json
import importlib.util
where = "SERVICE.tables" if importlib.util.find_spec("SERVICE.tables") else "SERVICE.db.tables"  # of older releases
importlib.import_module(where)
from SERVICE import settings
from SERVICE.accounts import vault
from SERVICE.db import engine
from SERVICE.provision import provision
known = settings.load()
base = engine.create(known.database)
keys = asyncio.run(provision(base, vault.load(known.security, known.database), 10_000.0, refused=False))
print(json.dumps(dataclasses.asdict(keys)))
"""


# This migration changed the type of two columns. A gateway of a release before it answers 50000, uncharged, when a
# connection prepared its statement before the migration; since then such statements are repeated.
WIDER_KEYS = "0007"
MAX_STALE_PLANS = 10  # two statements, at most five connections of the pool


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code before the newest migration, in a folder of its own."""
    return releases.release_before(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def strict_readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of STRICT_READERS, in a folder of its own."""
    return releases.unpacked(STRICT_READERS, tmp_path_factory.mktemp("strict"))


class Before:
    """Processes of the previous release, on the same stores."""

    def __init__(self, code: Path, settings: dict[str, str]) -> None:
        source = code / "src"
        self._code = code
        self._package = TODAY if source.is_dir() else "service"
        path = source if source.is_dir() else code
        plain = {name: value for name, value in os.environ.items() if not name.startswith("INKGATE_")}
        self._env = {**plain, "PYTHONPATH": str(path), **{f"INKGATE_{k}": v for k, v in settings.items()}}

    def start(self, *command: str, **settings: object) -> subprocess.Popen[bytes]:
        """`inkgate COMMAND…` of that release."""
        more = {f"INKGATE_{name}": str(value) for name, value in settings.items()}
        arguments = [sys.executable, "-m", f"{self._package}.cli", *command]
        return subprocess.Popen(arguments, env={**self._env, **more}, cwd=self._code)

    def command(self, *command: str) -> str:
        """The output of `inkgate COMMAND…` of that release."""
        return self._run("-m", f"{self._package}.cli", *command)

    def script(self, script: str, *arguments: str) -> str:
        """The output of a script that imports from SERVICE."""
        return self._run("-c", script.replace("SERVICE", self._package), *arguments)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=self._env, cwd=self._code, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def worker(self) -> subprocess.Popen[bytes]:
        """A ready worker."""
        port = free_port()
        process = self.start("worker", "--processes", "1", WORKER__HEALTH_PORT=port)
        async with local_client() as http, asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return process
                assert process.poll() is None, "the worker ended"
                await asyncio.sleep(0.1)


SUBMIT = """
import asyncio, sys, time
from SERVICE.broker.interface import Task
from SERVICE.broker.streams import StreamsBroker
from SERVICE.broker.streams.keys import Keys

async def main(url, namespace):
    broker = StreamsBroker(url, Keys(namespace, "balanced"), max_tasks=100, max_bytes=1 << 30)
    await broker.start()
    for call in range(5):
        tasks = [Task(f"c{call}", number, "general", time.time() + 60, b"image %d" % number) for number in range(3)]
        print(*(reply.outcome for reply in await broker.submit(tasks)))
    await broker.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_workers_and_gateways_of_two_neighbouring_releases(strict_readers: Path, valkey_server: str) -> None:
    settings = {"REDIS__URL": valkey_server, "ENGINE__RUNTIME": "stub", "TELEMETRY__LOG_LEVEL": "error"}
    read = ["read read read"] * 5

    namespace = f"strict-{free_port()}"
    before = Before(strict_readers, {**settings, "REDIS__NAMESPACE": namespace})
    worker = await before.worker()
    try:
        today = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", SUBMIT.replace("SERVICE", TODAY), valkey_server, namespace],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert today.stdout.splitlines() == read, today.stderr
    finally:
        worker.kill()
        worker.wait()

    namespace += "-reverse"
    host = WorkerHost(valkey_server, namespace, 1, TELEMETRY__LOG_LEVEL="error")
    try:
        await host.ready()
        output = await asyncio.to_thread(before.script, SUBMIT, valkey_server, namespace)
        assert output.splitlines() == read
    finally:
        await asyncio.to_thread(host.end)


class OldGateway(Gateway):
    """A gateway of the previous release."""

    def __init__(self, before: Before) -> None:
        super().__init__({})
        self._before = before

    def start(self) -> None:
        self.process = self._before.start("gateway", "--port", str(self.port))


async def leave(process: subprocess.Popen[bytes] | None) -> None:
    """Drain a process: it finishes its calls and exits with status 0."""
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 30) == 0


async def test_a_release_is_replaced_and_rolled_back_under_load(
    release_before: Path, postgres: Postgres, own_valkey: Valkey, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(postgres.empty)
    vaults.write(tmp_path / "key", [vaults.new_key()])
    settings = {
        "DATABASE__URL": url,
        "REDIS__URL": own_valkey.url,
        "SECURITY__MASTER_KEY_FILE": str(tmp_path / "key"),
        "ENGINE__RUNTIME": "stub",
        "ENGINE__STUB_MS": "20",
        "TELEMETRY__LOG_LEVEL": "error",
    }
    before = Before(release_before, settings)
    was = (await asyncio.to_thread(before.command, "migrate")).split()[-1]
    assert was != migrate.head()
    keys = Keys(**json.loads(await asyncio.to_thread(before.script, PROVISION)))
    old, new = OldGateway(before), Gateway(dict(settings))
    old_workers, new_workers = await before.worker(), None
    proxy, backends = None, [old.port]
    try:
        old.start()
        await old.ready()
        proxy = Proxy(backends)
        await proxy.start()
        clients = Clients(f"http://127.0.0.1:{proxy.port}", keys, 8.0)
        stop = asyncio.Event()
        running = asyncio.create_task(call_until_stopped(clients, stop))
        await asyncio.sleep(1)

        environment = {f"INKGATE_{name}": value for name, value in settings.items()}
        output = await asyncio.to_thread(perform, commands("upgrade", "迁移"), tmp_path, **environment)
        assert migrate.head() in output
        await asyncio.sleep(1)  # the release before, on the new schema

        new_workers = WorkerHost(own_valkey.url, "inkgate", 1, ENGINE__STUB_MS=20, TELEMETRY__LOG_LEVEL="error")
        await new_workers.ready()
        new.start()
        await new.ready()
        backends.append(new.port)
        await asyncio.sleep(1)  # both releases beside each other
        backends.remove(old.port)  # what an endpoint that is not ready any more loses first
        await asyncio.sleep(0.5)
        await leave(old.process)
        await leave(old_workers)
        await asyncio.sleep(1)  # the new one alone

        old.start()  # and back
        await old.ready()
        old_workers = await before.worker()
        backends.append(old.port)
        backends.remove(new.port)
        await asyncio.sleep(0.5)
        await leave(new.process)
        new_workers.end()
        await asyncio.sleep(2)
        stop.set()
        await running

        failed = [attempt for call in clients.calls for attempt in call.attempts if attempt.result != "ok"]
        assert all(call.delivered for call in clients.calls)
        if was < WIDER_KEYS:
            assert {attempt.detail for attempt in failed} <= {"500 50000"} and len(failed) <= MAX_STALE_PLANS, failed
        else:
            assert not failed
        assert len(clients.calls) > 30
        output = await asyncio.to_thread(perform, commands("upgrade", "核对"), tmp_path, **environment)
        assert "the ledger is sound" in output
        print(f"{len(clients.calls)} calls from schema {was} to {migrate.head()} and back, none failed")
    finally:
        if proxy is not None:
            await proxy.close()
        for process in (old.process, new.process, old_workers, new_workers and new_workers.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


async def call_until_stopped(clients: Clients, stop: asyncio.Event) -> None:
    """Traffic in intervals of half a second until `stop` is set."""
    while not stop.is_set():
        await clients.run(end=clients.now() + 0.5)
