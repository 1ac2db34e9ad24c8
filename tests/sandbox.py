"""A real service for tests: `inkgate sandbox` in a process of its own, engine and all."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers

START_SECONDS = 90


@dataclass(frozen=True)
class Sandbox:
    """Keys and address of a running sandbox."""

    keys: dict[str, str]
    idle_bytes: int  # proportional memory of the whole process tree, measured before the first call

    def call(
        self, capability: Capability, *images: bytes, appkey: str = "APPKEY", request_id: str = "", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """One signed call, with more headers that are not signed; HTTP status and body."""
        texts = [base64.b64encode(image).decode() for image in images]
        body = json.dumps(capability.request(texts)).encode()
        signed = call_headers(self.keys["AK"], self.keys["SK"].encode(), self.keys[appkey], body, request_id)
        request = urllib.request.Request(self.keys["BASE_URL"] + capability.paths[0], body, {**signed, **headers})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole run, with a rate limit that no test reaches."""
    folder = tmp_path_factory.mktemp("sandbox")
    env_file, log = folder / "keys.env", folder / "log"
    command = [sys.executable, "-m", "inkgate.service.cli", "sandbox", "--qps", "10000", "--env-file", str(env_file)]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=Path(__file__).parents[1])
    try:
        give_up = time.monotonic() + START_SECONDS
        while not env_file.exists():
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        lines = env_file.read_text().splitlines()
        yield Sandbox(dict(line.split("=", 1) for line in lines), _memory(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def _memory(pid: int) -> int:
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in (root, *root.children(recursive=True)))
