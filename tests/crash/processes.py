"""Real InkGate processes for crash tests, each with an environment of its own, and ways to end them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import httpx
import psutil

from tests.http_client import local_client
from tests.valkey import free_port

_WORKERS = "import asyncio; from inkgate.service import settings; "
_WORKERS += "from inkgate.service.composition.workers import serve_workers; "
_WORKERS += "asyncio.run(serve_workers(settings.load()))"


def python(
    *arguments: str,
    log: IO[bytes] | None = None,
    program: str = sys.executable,
    paths: str = "",
    **settings: object,
) -> subprocess.Popen[bytes]:
    """Start a Python process with the settings GROUP__NAME=value in its environment and its stderr in `log`. `program`
    is the interpreter, `paths` replace the repository in its PYTHONPATH."""
    env = {
        **os.environ,
        **{f"INKGATE_{name}": str(value) for name, value in settings.items()},
        "PYTHONPATH": paths or str(Path(__file__).resolve().parents[2]),
    }
    return subprocess.Popen([program, *arguments], env=env, stderr=log)


class WorkerHost:
    """What `inkgate worker` runs, over a Redis URL with the stub engine by default: a supervisor and its children."""

    def __init__(
        self,
        url: str,
        namespace: str,
        processes: int = 2,
        port: int | None = None,
        log: IO[bytes] | None = None,
        **settings: object,
    ) -> None:
        self.port = port or free_port()
        given = {
            "REDIS__URL": url,
            "REDIS__NAMESPACE": namespace,
            "ENGINE__RUNTIME": "stub",
            "WORKER__PROCESSES": processes,
            "WORKER__HEALTH_PORT": self.port,
            "TELEMETRY__LOG_FORMAT": "text",
            **settings,
        }
        self.process = python("-c", _WORKERS, log=log, **given)

    @property
    def children(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    async def get(self, path: str) -> httpx.Response:
        async with local_client() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def ready(self, count: int = 1, within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                text = (await self.get("/metrics")).text
                if f"inkgate_worker_ready {float(count)}" in text:
                    return
            except httpx.HTTPError:
                assert self.process.poll() is None, "the supervisor ended"
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{count} workers are not ready after {within} s")

    async def metric(self, line: str) -> float:
        """The value of the metrics line that begins with `line`."""
        for found in (await self.get("/metrics")).text.splitlines():
            if found.startswith(line):
                return float(found.rsplit(" ", 1)[1])
        return 0.0

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


async def gone(pid: int, within: float) -> bool:
    """Whether the process ends within so many seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.02)
    return False
