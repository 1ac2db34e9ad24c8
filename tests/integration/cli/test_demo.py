"""`inkgate demo` as a process: progress, samples, links that work once, numbers on the pages, a clean end."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[3]
START_SECONDS = 150


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """The output of a running demo without an engine."""
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "log"
    env = {**os.environ, "INKGATE_ENGINE__RUNTIME": "stub", "TMPDIR": str(folder), "INKGATE_SERVER__HOST": "0.0.0.0"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "inkgate.service.cli", "demo", "--port", "0"],
            cwd=ROOT,
            env=env,
            stdout=sink,
            stderr=sink,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while "Running." not in log.read_text():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield log.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
        assert list(folder.glob("inkgate-*")) == [], "the database is gone"
    finally:
        process.kill()
        process.wait()


def test_the_samples_are_read_and_the_keys_printed(said):
    assert re.search(r"90 days of example data in [\d.]+ s", said)
    for name in ("general", "idcard", "plate", "licence"):
        assert re.search(rf"{name}, [\d.]+ s", said)
    assert "failed" not in said
    for name in ("BASE_URL", "AK", "SK", "APPKEY"):
        assert re.search(rf"export {name}=\S+", said)
    assert "http://127.0.0.1:" in said and "0.0.0.0" not in said


def test_each_link_signs_in_once_and_the_pages_have_numbers(said):
    customer, operator = re.findall(r"http://\S+/console/demo/\S+", said)
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        page = client.get(customer)
        assert page.status_code == 200 and page.url.path == "/console/" and "青禾软件" in page.text
        quarter = client.get(str(page.url), params={"days": "90"}).text
        calls = int(
            re.search(r"([\d,]{5,})", re.sub(r"<[^>]+>", " ", quarter.split("调用次数")[1]))[1].replace(",", "")
        )
        assert calls > 50_000
        callers = client.get(str(page.url.copy_with(path="/console/callers"))).text
        assert "浙江" in callers and "198.18.33.0/24" in callers
    with httpx.Client(trust_env=False) as client:
        assert client.get(customer).status_code == 404
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        page = client.get(operator)
        assert page.status_code == 200
        waiting = client.get(str(page.url.copy_with(path="/console/operator/orders"))).text
        assert len(re.findall(r'action="[^"]*/approve"', waiting)) == 1 and "青禾软件" in waiting
