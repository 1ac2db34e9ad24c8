"""The admin API against its own description, by schemathesis: every operation, every check that can hold."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXCLUDED = (
    "positive_data_acceptance",  # a well-formed request for a thing that does not exist is refused with 400
    "allow_header_conformance",  # Starlette names the methods of one route, not of all routes of a path
)


def test_admin_api_keeps_to_its_description(tmp_path: Path):
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.admin_server", str(tmp_path)], cwd=ROOT, stdout=log, stderr=log
    )
    try:
        give_up = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert server.poll() is None and time.monotonic() < give_up, (tmp_path / "log").read_text()
            time.sleep(0.1)
        url, token = (tmp_path / "ready").read_text().split()
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {token}", "--checks", "all"]
        command += ["--exclude-checks", ",".join(EXCLUDED), "--max-examples", "3", "--generation-deterministic"]
        command += ["--suppress-health-check", "all", "--no-color"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    finally:
        server.terminate()
        server.wait(10)
        log.close()
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert "Tested: " in ran.stdout
    assert "Traceback" not in (tmp_path / "log").read_text()
