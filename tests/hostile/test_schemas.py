"""Both APIs against their OpenAPI descriptions, by schemathesis: every operation, every check that applies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import ON_POSTGRES

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")


@contextmanager
def serving(folder: Path, ready: Path, *arguments: str) -> Iterator[str]:
    """Runs a server; gives the text that it wrote into `ready` when it listened. Fails if it printed a traceback."""
    log = folder / "log"
    with log.open("wb") as sink:
        server = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=sink, stderr=sink)
    try:
        give_up = time.monotonic() + 60
        while not ready.exists():
            assert server.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        yield ready.read_text()
    finally:
        server.terminate()
        server.wait(30)
    assert "Traceback" not in log.read_text()


def schemathesis(folder: Path, url: str, *options: str, **environment: str) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", url]
    command += ["--checks", "all", "--generation-deterministic", "--suppress-health-check", "all", "--no-color"]
    ran = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert "Tested: " in ran.stdout


@ON_POSTGRES  # test_both_databases.py compares the answers of the two
def test_admin_api_matches_its_openapi_description(database_url: str, tmp_path: Path):
    with serving(tmp_path, tmp_path / "ready", "tests.hostile.admin_server", str(tmp_path), database_url) as said:
        url, token = said.split()
        header = f"Authorization: Bearer {token}"
        hooks = {"SCHEMATHESIS_HOOKS": "tests.hostile.admin_hooks", "PYTHONPATH": str(ROOT)}
        schemathesis(tmp_path, f"{url}/openapi.json", "--header", header, "--max-examples", "3", **hooks)


def test_the_four_calls_match_their_openapi_description(tmp_path: Path):
    """Signed by a hook over the bytes that are sent. It also checks that other methods are refused: the contract
    answers them with HTTP 200 and a code for two capabilities, where `unsupported_method` wants 405 for all."""
    env_file = tmp_path / "env"
    command = ("inkgate.service.cli", "sandbox", "--engine", "stub", "--qps", "100000", "--env-file", str(env_file))
    with serving(tmp_path, env_file, *command) as said:
        keys = dict(line.split("=", 1) for line in said.splitlines())
        hooks = {"SCHEMATHESIS_HOOKS": "tests.hostile.eop_hooks", "PYTHONPATH": str(ROOT), **keys}
        options = ("--max-examples", "10", "--exclude-checks", "unsupported_method")
        schemathesis(tmp_path, f"{keys['BASE_URL']}/openapi.json", *options, **hooks)
