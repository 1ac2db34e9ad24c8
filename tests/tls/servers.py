"""Postgres and Redis that speak nothing but TLS: Debian's, since the wheels of the other tests are built without it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tls.authority import Authority

PASSWORD = "not-in-clear"
USERS = Path(__file__).parents[2] / "docs" / "howto" / "tls.md"  # the page's users.acl is what is tried
REDIS = "/usr/bin/redis-check-rdb"  # one program that goes by its name; the package redis-tools starts no service


def postgres_programs() -> Path:
    """The folder of initdb and postgres. Fails with the package to install."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "no Postgres with TLS; on Debian: apt-get install postgresql"
    return found[-1].parent


@contextmanager
def postgres(folder: Path, authority: Authority, port: int) -> Iterator[str]:
    """A server on 127.0.0.1 that accepts passwords over TLS only; gives the URL without TLS parameters."""
    programs, certificate = postgres_programs(), authority.issue("localhost")
    folder.mkdir()
    secret = folder / "password"
    secret.write_text(PASSWORD)
    as_user: dict[str, str] = {}
    for source, name in zip(certificate, ("server.crt", "server.key"), strict=True):
        shutil.copy(source, folder / name)
    if os.geteuid() == 0:  # Postgres refuses to run as root
        as_user = {"user": "postgres", "group": "postgres"}
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    (folder / "server.key").chmod(0o600)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "inkgate", "--pwfile", secret, "--auth", "scram-sha-256", "-N"],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,  # type: ignore[call-overload]
    )
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "ssl": "on",
        "fsync": "off",
        "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
    }
    command = [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **as_user)  # type: ignore[call-overload]
    try:
        _wait(process, lambda: "ready to accept" in (folder / "log").read_text())
        yield f"postgresql+asyncpg://inkgate:{PASSWORD}@localhost:{port}/postgres"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@contextmanager
def redis(folder: Path, authority: Authority, port: int) -> Iterator[str]:
    """A server on 127.0.0.1 without a plain port and without a default user; gives our user's URL."""
    assert Path(REDIS).exists(), "no Redis with TLS; on Debian: apt-get install redis-tools"
    certificate, key = authority.issue("localhost")
    folder.mkdir()
    lines = [
        f'port 0\ntls-port {port}\nbind 127.0.0.1\ndir {folder}\nsave ""\nappendonly no\nmaxmemory-policy noeviction',
        f"tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {authority.path}\ntls-auth-clients no",
        _users(),
    ]
    (folder / "redis.conf").write_text("\n".join(lines) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["redis-server", str(folder / "redis.conf")], executable=REDIS, stdout=log, stderr=log, cwd=folder
        )
    try:
        _wait(process, lambda: "Ready to accept" in (folder / "log").read_text())
        yield f"rediss://inkgate:{PASSWORD}@localhost:{port}/0"
    finally:
        process.kill()
        process.wait()


def _users() -> str:
    """The block of the page, with our password."""
    (block,) = re.findall(r'^```text title="users.acl"\n(.*?)^```$', USERS.read_text(), re.MULTILINE | re.DOTALL)
    return str(block).replace("PASSWORD", PASSWORD)


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
