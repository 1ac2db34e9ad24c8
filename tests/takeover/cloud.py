"""The cloud of the tests: a second installation of our own with the same keys and other storage, behind a proxy that
plants differences and faults. Nothing real is called.

    here = install(tmp_path / "here")                        # database and keys; no process yet
    with cloud(here, tmp_path / "cloud", Plan()) as upstream:    # a copy of them, served
        with served(here.folder, TAKEOVER__URL=upstream.url) as base: ...
"""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security
from tests.crash.processes import python
from tests.takeover.plan import Plan
from tests.takeover.proxy import CloudProxy
from tests.tls.authority import Authority

HOST = "localhost"  # what the cloud's right certificate is for
QPS = 100_000.0
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with database and master key; the keys that open it."""

    folder: Path
    keys: Keys


def install(folder: Path) -> Installation:
    """A new database with an account, paid apps and refused ones (see `provision`)."""
    folder.mkdir(parents=True)
    url = database_url(folder)
    migrate.upgrade(url)
    return Installation(folder, asyncio.run(_provision(url)))


def database_url(folder: Path) -> str:
    """The database of an installation."""
    return f"sqlite+aiosqlite:///{folder / 'inkgate.db'}"


async def _provision(url: str) -> Keys:
    database = Database(url=url)
    engine = databases.create(database)
    try:
        return await provision(engine, vaults.load(Security(), database), QPS, refused=True, second=True)
    finally:
        await engine.dispose()


@contextmanager
def served(folder: Path, **settings: object) -> Iterator[str]:
    """`inkgate serve` with the stub engine on an installation's folder; the base URL. `settings` as GROUP__NAME."""
    given = {
        "DATABASE__URL": database_url(folder),
        "ENGINE__RUNTIME": "stub",
        "WORKER__PROCESSES": "1",
        "LIMITS__QPS": str(QPS),
        "TELEMETRY__LOG_FORMAT": "text",
        **settings,
    }
    log = folder / "log"
    with log.open("wb") as sink:
        process = python("-m", "inkgate.service.cli", "serve", "--port", "0", log=sink, **given)
    try:
        give_up = time.monotonic() + START_SECONDS
        while not (ready := re.search(r"is ready at (http://[\d.:]+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
        yield ready[1]
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Certificate(StrEnum):
    """Which certificate the cloud shows."""

    RIGHT = "right"
    OTHER_HOST = "other_host"  # of the right authority, for another name
    OTHER_AUTHORITY = "other_authority"  # for the right name


@dataclass
class Cloud:
    """The running cloud. `base` is the service behind the proxy, for what tests ask of it directly."""

    base: str
    proxy: CloudProxy
    authority: Path | None = None
    """The certificate of its authority; None over plain HTTP."""
    certificate: Certificate = Certificate.RIGHT
    contexts: dict[Certificate, ssl.SSLContext] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """What a client, and the mirror, call."""
        return f"https://{HOST}:{self.proxy.port}" if self.contexts else f"http://127.0.0.1:{self.proxy.port}"

    @property
    def plan(self) -> Plan:
        return self.proxy.plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self.proxy.plan = plan


@contextmanager
def cloud(
    like: Installation, folder: Path, plan: Plan | None = None, *, tls: bool = False, **settings: object
) -> Iterator[Cloud]:
    """A copy of an installation in `folder`, served behind the proxy. `like` must not be in use while it is copied.

    Answers have no aliases (CONTRACT D7), as those of the cloud.
    """
    shutil.copytree(like.folder, folder, ignore=shutil.ignore_patterns("log"))
    with served(folder, SERVER__SUPERSET="false", **settings) as base:
        made = Cloud(base, CloudProxy(base, plan or Plan()))
        if tls:
            _certify(made, folder)
        made.proxy.start()
        try:
            yield made
        finally:
            made.proxy.stop()


def _certify(made: Cloud, folder: Path) -> None:
    right, other = Authority(folder, "cloud-authority"), Authority(folder, "other-authority")
    made.authority = right.path
    files = {Certificate.RIGHT: right.issue(HOST), Certificate.OTHER_HOST: right.issue("elsewhere.test")}
    made.contexts = {name: _context(*pair) for name, pair in files.items()}
    made.contexts[Certificate.OTHER_AUTHORITY] = _context(*other.issue(HOST))
    made.proxy = CloudProxy(made.base, made.plan, lambda: made.contexts[made.certificate])


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    return made
