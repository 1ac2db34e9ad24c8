"""The one-host deployment in real containers: deploy/compose.yaml, started as docs/howto/install-one-host.md says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers
from tests.compose.base_images import docker
from tests.monitoring.deployment import wait_for

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 300


def _engine() -> dict[str, str]:
    """Which container engine, where it is not the usual one."""
    return {name: value for name, value in os.environ.items() if name == "DOCKER_HOST"}


@dataclass(frozen=True)
class Stack:
    """A copy of deploy/ in `folder` with secrets and certificate of its own; `registry` prefixes every image."""

    folder: Path
    registry: str
    port: int

    @classmethod
    def prepare(cls, folder: Path, registry: str, port: int, release: Path = ROOT) -> tuple[Stack, str]:
        """The stack of a source tree or bundle, not started, and what deploy/init.sh printed."""
        shutil.copytree(
            release / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__", ".env", "tls")
        )
        made = subprocess.run(["sh", "deploy/init.sh", "localhost"], cwd=folder, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        stack = cls(folder, registry, port)
        stack.configure(HTTPS_PORT=str(port), WORKER_PROCESSES="1")
        return stack, made.stdout

    @property
    def url(self) -> str:
        """The host name's address, as clients see it."""
        return f"https://localhost:{self.port}"

    def configure(self, **values: str) -> None:
        """Change settings in deploy/.env, as an operator edits it."""
        path = self.folder / "deploy" / ".env"
        lines = dict(line.split("=", 1) for line in path.read_text().splitlines() if line and not line.startswith("#"))
        path.write_text("".join(f"{name}={value}\n" for name, value in (lines | values).items()))

    def compose(self, *arguments: str, text: bytes | None = None, check: bool = True) -> str:
        """The output of `docker compose … ARGUMENTS`. Raises AssertionError with its error output when it fails."""
        command = [str(Path(sys.executable).with_name("docker-compose")), "--env-file", "deploy/.env"]
        done = subprocess.run(
            [*command, "-f", "deploy/compose.yaml", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "REGISTRY": self.registry, **_engine()},
            input=text,
            capture_output=True,
            timeout=UP_SECONDS,
        )
        if check and done.returncode:
            logs = "" if arguments[0] == "logs" else self.compose("logs", "--tail", "30", check=False)
            raise AssertionError(f"compose {' '.join(arguments)}\n{done.stderr.decode()[-3000:]}\n{logs[-6000:]}")
        return done.stdout.decode()

    def up(self) -> None:
        """Start or replace what changed; returns when every container is healthy.

        `up --wait` would take the end of the migration for a failure.
        """
        self.compose("up", "--detach", "--no-build", "--pull", "never")
        for service in ("gateway", "console", "worker"):
            wait_for(partial(self._healthy, service), 120, f"{service} is healthy")

    def _healthy(self, service: str) -> bool:
        return bool(self.container(service)["State"]["Health"]["Status"] == "healthy")

    def inkgate(self, *arguments: str, service: str = "gateway") -> str:
        """The output of an `inkgate` command inside a container."""
        return self.compose("exec", "-T", service, "inkgate", *arguments)

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        (identifier,) = self.compose("ps", "--all", "--quiet", service).split()
        found: dict[str, Any] = json.loads(docker("inspect", identifier))[0]
        return found

    def context(self) -> ssl.SSLContext:
        """TLS that trusts the deployment's own certificate alone."""
        return ssl.create_default_context(cafile=str(self.folder / "deploy" / "tls" / "tls.crt"))

    def call(self, keys: dict[str, str], capability: Capability, image: bytes) -> tuple[int, dict[str, Any]]:
        """One signed call through nginx: HTTP status and body. Raises OSError when the connection fails."""
        body = json.dumps(capability.request([base64.b64encode(image).decode()])).encode()
        headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body, "")
        request = urllib.request.Request(self.url + capability.paths[0], body, headers)
        try:
            with urllib.request.urlopen(request, timeout=90, context=self.context()) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}") if error.code != 502 else {}
