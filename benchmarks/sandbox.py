"""A temporary service with the stub engine and an in-memory database, so that mainly the gateway is measured."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")


@contextmanager
def stub_service(engine_ms: float = 0.0) -> Iterator[tuple[dict[str, str], psutil.Process]]:
    """Yields the environment of a running service (BASE_URL, AK, SK, APPKEY, ENCKEY, …) and its gateway process.

    The stub engine takes `engine_ms` milliseconds per image.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        env_file = Path(folder) / "env"
        command = [sys.executable, "-m", "inkgate.service.cli", "sandbox", "--engine", "stub", "--qps", "100000"]
        environment = {**os.environ, "TMPDIR": folder, "INKGATE_ENGINE__STUB_MS": str(engine_ms)}
        server = subprocess.Popen([*command, "--env-file", str(env_file)], stderr=subprocess.DEVNULL, env=environment)
        try:
            while not env_file.exists():
                assert server.poll() is None, "the sandbox did not start"
                time.sleep(0.1)
            lines = env_file.read_text().splitlines()
            yield dict(line.split("=", 1) for line in lines), psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(30)
