"""Planted secrets, looked for wherever they could show: logs at their most talkative, metrics, answers, files."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import inkgate_client as ink
import pytest

from service.contract.capabilities import GENERAL
from service.samples import sample
from tests.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
TEXT_IN_PICTURE = "图书馆开放通知"
# The sandbox's own command, but with every log line there is.
TALKATIVE = """
import sys
from service.telemetry import logs
configure = logs.configure
logs.configure = lambda *_: configure("debug", "json")
from service.cli import main
sys.argv = ["inkgate", "sandbox", "--qps", "1000", "--env-file", sys.argv[1]]
main()
"""


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path, Path]]:
    """A sandbox that logs everything; its log; the folder that holds whatever it writes."""
    folder = tmp_path_factory.mktemp("secrets")
    written, env_file, log = folder / "written", folder / "keys.env", folder / "log"
    written.mkdir()
    environment = {**os.environ, "TMPDIR": str(written), "HOME": str(written)}
    with log.open("wb") as sink:
        command = [sys.executable, "-c", TALKATIVE, str(env_file)]
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=ROOT, env=environment)
    try:
        give_up = time.monotonic() + 90
        while not env_file.exists():
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        yield Sandbox(dict(line.split("=", 1) for line in env_file.read_text().splitlines()), 0), log, written
    finally:
        process.terminate()
        process.wait(30)


def client(keys: dict[str, str], **changed: str) -> ink.Client:
    given = {"ak": keys["AK"], "sk": keys["SK"], "appkey": keys["APPKEY"], **changed}
    http = httpx.Client(timeout=60, trust_env=False)
    return ink.Client(keys["BASE_URL"], retry=ink.NEVER, http=http, **given)  # type: ignore[arg-type]


def every_kind_of_call(keys: dict[str, str]) -> list[bytes]:
    """Good, sealed, refused and broken calls; what they were answered."""
    picture = sample("general")
    client(keys).general(picture, b"no picture at all")
    client(keys, enckey=keys["ENCKEY"]).general(picture)
    for changed in ({"sk": keys["SK"][::-1]}, {"ak": "unknown-access-key"}, {"appkey": "unknown-app"}):
        with pytest.raises(ink.ApiError):
            client(keys, **changed).general(picture)
    url = keys["BASE_URL"] + GENERAL.paths[0]
    headers = {"Eop-Authorization": f"{keys['SK']} Headers=eop-date Signature={keys['SK']}", "appkey": keys["SK"]}
    with httpx.Client(trust_env=False) as plain:  # secrets in all the wrong places
        answers = [
            plain.post(url, headers=headers, content=base64.b64encode(picture)),
            plain.post(url + "/" + keys["APPKEY"] + "x", headers={"ctyun-eop-request-id": "\x7f" * 200}),
            plain.get(keys["BASE_URL"] + "/metrics"),
            plain.get(keys["BASE_URL"] + "/openapi.json"),
        ]
    return [answer.content for answer in answers]


def test_secrets_stay_where_they_belong(talkative):
    sandbox, log, written = talkative
    keys, picture = sandbox.keys, sample("general")
    answers = every_kind_of_call(keys)
    time.sleep(0.5)  # the last log lines
    files = {str(file): file.read_bytes() for file in written.rglob("*") if file.is_file()}
    assert any("inkgate.db" in name for name in files), "the sandbox writes elsewhere: this test looks in vain"
    said = log.read_bytes()
    assert b'"status"' in said or b"general" in said, "nothing was logged: this test looks in vain"
    places = {"the log": said, "answers and metrics": b"".join(answers), **files}
    secrets = {
        "the secret key": keys["SK"].encode(),
        "the picture": picture[2000:2040],
        "the picture in base64": base64.urlsafe_b64encode(picture)[2000:2040],
        "the text in the picture": TEXT_IN_PICTURE.encode(),
        "the text, escaped": TEXT_IN_PICTURE.encode("unicode_escape"),
        "a traceback": b"Traceback (most recent call last)",
    }
    master_keys = [content.strip() for name, content in files.items() if name.endswith(".key")]
    secrets |= {f"master key {number}": key for number, key in enumerate(master_keys)}
    shown = [
        f"{secret} is in {place}"
        for place, content in places.items()
        for secret, planted in secrets.items()
        if planted in content
        and not (secret.startswith("master key") and place.endswith(".key"))
        and not (secret.startswith("the text") and place == "answers and metrics")  # the reference has an example
    ]
    assert not shown


def test_key_files_are_for_their_owner_alone(talkative):
    _, _, written = talkative
    keys = [file for file in written.rglob("*.key") if file.is_file()]
    assert keys and all(file.stat().st_mode & 0o077 == 0 for file in keys)
