"""A whole deployment for monitoring tests: gateway and workers over Valkey and Postgres, under a real Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.samples import sample
from tests.crash.processes import WorkerHost, python
from tests.keys import MASTER_KEY, provisioned
from tests.sandbox import Sandbox
from tests.valkey import Valkey, free_port
from tools import ops_tools

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "inkgate.rules.yml"
CANARY = "sandbox"  # the account that provision makes


class Prometheus:
    """Debian's Prometheus with our rules, hasty: windows of seconds where the real ones have minutes and hours."""

    def __init__(self, folder: Path, targets: dict[str, int]) -> None:
        self.port = free_port()
        (folder / "inkgate.rules.yml").write_text(self._hasty(RULES.read_text()))
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in targets.items()
        ]
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"},
            "rule_files": ["inkgate.rules.yml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._process = subprocess.Popen(
            [
                str(ops_tools.prometheus()),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=error",
            ]
        )

    @staticmethod
    def _hasty(text: str) -> str:
        """The same rules in a hurry; counts that take many faults in an hour are reached by a few."""
        for pattern, hasty in (
            (r"for: \S+", "for: 2s"),
            (r"\[(5m|30m)\]", "[10s]"),
            (r"\[(10m|15m|1h|6h)\]", "[20s]"),
            (r"(oldest_age_seconds\)) > 30", r"\1 > 2"),
            (r"(recycles_total.*) > 10", r"\1 > 2"),
            (r"(poison_images_total.*) > 3", r"\1 > 2"),
        ):
            text, count = re.subn(pattern, hasty, text)
            assert count, pattern
        return text

    def get(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def complaints(page: bytes) -> bytes:
    """What `promtool check metrics` says about the metrics of ours on a page."""
    ours = re.sub(rb"(?m)^(# (HELP|TYPE) )?(python_|process_).*\n", b"", page)
    assert b"inkgate_" in ours
    done = subprocess.run([str(ops_tools.promtool()), "check", "metrics"], input=ours, capture_output=True, timeout=60)
    return done.stdout + done.stderr + (b"" if done.returncode == 0 else b"and refuses it")


def wait_for(condition: Callable[[], object], within: float, what: str) -> None:
    """Wait for a condition; a server that is not there yet counts as no."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if condition():
                return
        time.sleep(0.25)
    raise AssertionError(f"not within {within:g} s: {what}")


class Deployment:
    """A gateway, a host of two stub workers, a Valkey and a Prometheus of their own, over a Postgres database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.valkey = Valkey()
        self.valkey.start()
        self.database_url = database_url
        self.keys = asyncio.run(provisioned(database_url))
        self._stores = {
            "DATABASE__URL": database_url,
            "REDIS__URL": self.valkey.url,
            "SECURITY__MASTER_KEY": MASTER_KEY,
        }
        self.port = free_port()
        self.gateway = python(
            "-m",
            "inkgate.service.cli",
            "gateway",
            **self._stores,
            SERVER__PORT=self.port,
            LIMITS__DEADLINE=8,
            LEDGER__HOUSEKEEPING_MINUTES=0.03,
            TELEMETRY__ACCOUNTS=json.dumps([CANARY]),
            TELEMETRY__LOG_LEVEL="warning",
        )
        self.workers = self.new_workers()
        self.sandbox = Sandbox({**self._names(), "BASE_URL": f"http://127.0.0.1:{self.port}"}, 0)
        self.prometheus = Prometheus(folder, {"inkgate-gateway": self.port, "inkgate-worker": self.workers.port})
        self._calm = threading.Event()
        self._traffic: threading.Thread | None = None

    def new_workers(self, port: int | None = None) -> WorkerHost:
        """Two stub workers that take 20 ms an image; `port` is where Prometheus looks for them."""
        return WorkerHost(self.valkey.url, "inkgate", port=port, ENGINE__STUB_MS=20, LIMITS__HOLD_OFF=15)

    def ready(self) -> None:
        def answers() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)

        wait_for(answers, 60, "the gateway is ready")
        wait_for(lambda: self.value("max(inkgate_worker_ready)") == 2, 60, "two workers are warm and scraped")
        wait_for(lambda: self.value("max(inkgate_workers_live)") == 2, 30, "the gateway sees them")

    def value(self, expression: str) -> float | None:
        found = self.prometheus.query(expression)
        return float(found[0]["value"][1]) if found else None

    def call_everything(self) -> None:
        """One call of each capability, one with a bad image, one refused, one too fast to be let through."""
        for name, capability in CAPABILITIES.items():
            assert self.sandbox.call(capability, sample(name))[0] == 200
        general = CAPABILITIES["general"]
        assert self.sandbox.call(general, sample("general"), b"not an image")[0] == 200
        wrong = Sandbox({**self.sandbox.keys, "SK": "wrong"}, 0)
        assert wrong.call(general, sample("general"))[0] == 401

    @contextlib.contextmanager
    def traffic(self, image: bytes = b"") -> Iterator[None]:
        """Calls in a row, from four threads, whatever becomes of them; of the sample unless an image is given."""
        image = image or sample("general")
        self._calm.clear()

        def run() -> None:
            while not self._calm.is_set():
                with contextlib.suppress(OSError, ValueError):
                    self.sandbox.call(CAPABILITIES["general"], image)
                self._calm.wait(0.1)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._calm.set()
            for thread in threads:
                thread.join(30)

    def signal_workers(self, number: signal.Signals) -> None:
        """A signal to every worker process, not to their supervisor."""
        for child in psutil.Process(self.workers.process.pid).children():
            child.send_signal(number)

    def end(self) -> None:
        self.signal_workers(signal.SIGCONT)
        self.prometheus.end()
        self.workers.end()
        self.gateway.terminate()
        try:
            self.gateway.wait(30)
        except subprocess.TimeoutExpired:
            self.gateway.kill()
        self.valkey.kill()

    def _names(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.keys.lines("x"))
