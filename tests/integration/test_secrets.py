"""Planted secrets, looked for wherever they could show: logs at their most talkative, traces, metrics, answers, files,
and what is left when the processes crash."""

from __future__ import annotations

import base64
import gzip
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import inkgate_client as ink
import psutil
import pytest

from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.samples import sample
from tests.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
TEXT_IN_IMAGE = "图书馆开放通知"
# The sandbox's own command, but with every log line there is, and every thread's stack when it crashes.
TALKATIVE = """
import faulthandler, sys
faulthandler.enable(all_threads=True)
from inkgate.service.telemetry import logs
configure = logs.configure
logs.configure = lambda *_: configure("debug", "json")
from inkgate.service.cli import main
sys.argv = ["inkgate", "sandbox", "--qps", "1000", "--env-file", sys.argv[1]]
main()
"""


class Collector(ThreadingHTTPServer):
    """Takes traces over OTLP/HTTP and keeps the bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Intake)
        self.taken = b""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Intake(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken += gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@dataclass(frozen=True)
class Talkative:
    """A sandbox that logs and traces everything, and where all of it goes."""

    sandbox: Sandbox
    process: subprocess.Popen[bytes]
    log: Path
    written: Path  # the folder that holds whatever it writes
    traces: Collector

    def crash(self) -> None:
        """End gateway and workers as a broken native library would. None of them may leave its memory in a file."""
        family = [*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)]
        assert len(family) > 1
        for each in family:
            assert re.search(r"^Max core file size +0 ", Path(f"/proc/{each.pid}/limits").read_text(), re.MULTILINE)
        for each in family:
            each.send_signal(signal.SIGSEGV)
        psutil.wait_procs(family, timeout=30)


def _allow_cores() -> None:
    """As on a host where core dumps are enabled."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talkative]:
    folder = tmp_path_factory.mktemp("secrets")
    written, env_file, log = folder / "written", folder / "keys.env", folder / "log"
    written.mkdir()
    traces = Collector()
    environment = {
        **os.environ,
        "TMPDIR": str(written),
        "HOME": str(written),
        "PYTHONPATH": str(ROOT),
        "INKGATE_TELEMETRY__TRACES_ENDPOINT": f"http://127.0.0.1:{traces.server_address[1]}/v1/traces",
    }
    with log.open("wb") as sink:
        command = [sys.executable, "-c", TALKATIVE, str(env_file)]
        process = subprocess.Popen(
            command, stdout=sink, stderr=sink, cwd=written, env=environment, preexec_fn=_allow_cores
        )
    try:
        give_up = time.monotonic() + 90
        while not env_file.exists():
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        keys = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        yield Talkative(Sandbox(keys, 0), process, log, written, traces)
    finally:
        process.terminate()
        process.wait(30)
        traces.shutdown()
        traces.server_close()


def client(keys: dict[str, str], **changed: str) -> ink.Client:
    given = {"ak": keys["AK"], "sk": keys["SK"], "appkey": keys["APPKEY"], **changed}
    http = httpx.Client(timeout=60, trust_env=False)
    return ink.Client(keys["BASE_URL"], retry=ink.NEVER, http=http, **given)  # type: ignore[arg-type]


def every_kind_of_call(keys: dict[str, str]) -> list[bytes]:
    """Good, sealed, refused and broken calls; what they were answered."""
    image = sample("general")
    client(keys).general(image, b"no image at all")
    client(keys, enckey=keys["ENCKEY"]).general(image)
    for changed in ({"sk": keys["SK"][::-1]}, {"ak": "unknown-access-key"}, {"appkey": "unknown-app"}):
        with pytest.raises(ink.ApiError):
            client(keys, **changed).general(image)
    url = keys["BASE_URL"] + GENERAL.paths[0]
    headers = {"Eop-Authorization": f"{keys['SK']} Headers=eop-date Signature={keys['SK']}", "appkey": keys["SK"]}
    with httpx.Client(trust_env=False) as plain:  # secrets in all the wrong places
        answers = [
            plain.post(url, headers=headers, content=base64.b64encode(image)),
            plain.post(url + "/" + keys["APPKEY"] + "x", headers={"ctyun-eop-request-id": "\x7f" * 200}),
            plain.get(keys["BASE_URL"] + "/metrics"),
            plain.get(keys["BASE_URL"] + "/openapi.json"),
        ]
    return [answer.content for answer in answers]


def test_key_files_are_for_their_owner_alone(talkative: Talkative):
    keys = [file for file in talkative.written.rglob("*.key") if file.is_file()]
    assert keys and all(file.stat().st_mode & 0o077 == 0 for file in keys)


def test_secrets_stay_where_they_belong(talkative: Talkative):
    """Last, since it ends the service: in a crash, which may leave stacks in the log but no memory in a file."""
    keys, image = talkative.sandbox.keys, sample("general")
    answers = every_kind_of_call(keys)
    give_up = time.monotonic() + 40
    while b"general" not in talkative.traces.taken and time.monotonic() < give_up:
        time.sleep(0.1)
    files = {str(file): file.read_bytes() for file in talkative.written.rglob("*") if file.is_file()}
    talkative.crash()
    files |= {f"{file} after the crash": file.read_bytes() for file in talkative.written.rglob("*") if file.is_file()}
    said = talkative.log.read_bytes()
    for place, sign in {
        "files": any("inkgate.db" in name for name in files),
        "the log": b'"capability"' in said,
        "traces": b"general" in talkative.traces.taken,
        "a crash": said.count(b"Fatal Python error") == 1,
    }.items():
        assert sign, f"{place}: nothing of it was seen, this test looks in vain"
    places = {"the log": said, "answers and metrics": b"".join(answers), "traces": talkative.traces.taken, **files}
    secrets = {
        "the secret key": keys["SK"].encode(),
        "the image": image[2000:2040],
        "the image in base64": base64.urlsafe_b64encode(image)[2000:2040],
        "the text in the image": TEXT_IN_IMAGE.encode(),
        "the text, escaped": TEXT_IN_IMAGE.encode("unicode_escape"),
        "a traceback": b"Traceback (most recent call last)",
    }
    master_keys = {content.strip() for name, content in files.items() if ".key" in name}
    secrets |= {f"master key {number}": key for number, key in enumerate(master_keys)}
    shown = [
        f"{secret} is in {place}"
        for place, content in places.items()
        for secret, planted in secrets.items()
        if planted in content
        and not (secret.startswith("master key") and ".key" in place)
        and not (secret.startswith("the text") and place == "answers and metrics")  # the reference has an example
    ]
    assert not shown
