"""CPU seconds by part of the stack: gateway, workers, Postgres, Valkey, the client itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.crash.chaos.stack import Gateway, Stack
from tests.crash.processes import python

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCTION_LOGS: dict[str, object] = {"TELEMETRY__LOG_LEVEL": "info", "TELEMETRY__LOG_FORMAT": "json"}  # the defaults


class TreeGateway(Gateway):
    """One `inkgate gateway` of a working tree, perhaps another commit's, with the packages of the tree's `.venv`, if it
    has one. With `profile` its stacks are sampled into that file. Its log is written, as in production, and thrown
    away."""

    def __init__(self, settings: dict[str, object], tree: Path, profile: Path | None = None) -> None:
        super().__init__(settings | PRODUCTION_LOGS)
        self._tree, self._profile, self._production = tree, profile, settings | PRODUCTION_LOGS

    def start(self) -> None:
        self._wanted = True
        command = ["-m", "inkgate.service.cli"]
        if self._profile is not None:
            command = ["-m", "benchmarks.gateway.sampler", str(self._profile)]
        arguments = [*command, "gateway", "--port", str(self.port)]
        own = self._tree / ".venv/bin/python"
        with Path(os.devnull).open("wb") as log:
            self.process = python(
                *arguments,
                log=log,
                program=str(own) if own.exists() else sys.executable,
                paths=f"{self._tree / 'src'}:{REPOSITORY}",
                **self._production,
            )

    @property
    def pid(self) -> int:
        """The process that answers calls. Raises RuntimeError when it does not run."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError("the gateway has ended")
        return self.process.pid


def cpu_seconds(stack: Stack, gateway: TreeGateway) -> dict[str, float]:
    """CPU seconds, user and system, that each part has used so far."""
    own = psutil.Process().cpu_times()
    workers = [host.process for host in stack.hosts]
    return {
        "gateway": _tree_seconds(gateway.pid),
        "workers": sum(_tree_seconds(each.pid) for each in workers),
        "postgres": _tree_seconds(stack.postgres.pid),
        "valkey": _tree_seconds(_pid(stack.valkey.process)),
        "client": own.user + own.system,
    }


def _pid(process: subprocess.Popen[bytes] | None) -> int:
    if process is None:
        raise RuntimeError("the server has not been started")
    return process.pid


def _tree_seconds(pid: int) -> float:
    """CPU seconds of a process and of its children, those that have ended included."""
    root, total = psutil.Process(pid), 0.0
    times = root.cpu_times()
    total += times.user + times.system + times.children_user + times.children_system
    for child in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return total
