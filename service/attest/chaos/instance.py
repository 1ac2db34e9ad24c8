"""The temporary service of a chaos run: processes that this one has started, and no others, are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

START_SECONDS = 180.0  # for models to be loaded on a slow machine
STOP_SECONDS = 30.0
POLL_SECONDS = 0.2
LOG_BYTES = 300  # of the end of its log, for a reason


class NotStarted(Exception):
    """The temporary service did not become ready; the text has the end of its log."""


class Instance:
    """One service on a loopback port that it keeps over restarts. `command` starts it; it ends when this process ends.

    `settings` are environment variables; none of the installation's own settings are inherited.
    """

    def __init__(self, command: Sequence[str], settings: Mapping[str, str], folder: Path) -> None:
        self.port = _free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("INKGATE_")}
        own = {"INKGATE_SERVER__HOST": "127.0.0.1", "INKGATE_SERVER__PORT": str(self.port)}
        self._command, self._folder = list(command), folder
        self._environment = {**inherited, **settings, **own}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it can read images. Raises NotStarted."""
        self._process = await asyncio.to_thread(self._spawn)
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.base_url, timeout=5.0, trust_env=False) as http:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    raise NotStarted(f"it ended with status {self._process.returncode}: {self._end_of_log()}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(POLL_SECONDS)
        raise NotStarted(f"not ready within {START_SECONDS:.0f} s: {self._end_of_log()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self._command, env=self._environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, process_group=0,
            )  # fmt: skip

    def workers(self) -> list[int]:
        """The process ids of its workers. Raises OSError where the system does not list them (/proc of Linux)."""
        if self._process is None or self._process.poll() is not None:
            return []
        return _children(self._process.pid)

    def kill_workers(self, count: int) -> int:
        """Kill so many of its workers at once, as a crash would; returns how many there were."""
        found = self.workers()[:count]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def kill(self) -> None:
        """Kill the gateway process; its workers end with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Stop it as a service manager does; kill it when it does not stop within STOP_SECONDS."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _end_of_log(self) -> str:
        data = self._log.read_bytes()[-LOG_BYTES:]
        return " ".join(data.decode("utf-8", "replace").split())


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # it ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return sorted(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
