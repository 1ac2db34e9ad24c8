"""Where personal data can be: planted in calls, looked for in everything that the processes write or store.

What is expected is the table of docs/explanation/personal-data.md, so that the page cannot say less than is true.
Gateway and worker are processes of their own with every log line and trace; only the engine is the stub, whose text is
derived from the image.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import migrate
from inkgate.service.eop.signing import call_headers
from inkgate.service.samples import sample
from inkgate.service.worker.stub import stub_text
from tests.crash.processes import WorkerHost, python
from tests.keys import MASTER_KEY, provisioned
from tests.monitoring.deployment import wait_for
from tests.postgres import Postgres
from tests.sandbox import Sandbox
from tests.valkey import free_port

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "personal-data.md"
ADDRESS = "203.0.113.199"
KINDS = ("images", "results", "addresses", "request ids")
PLACES = ("database", "queue during calls", "queue afterwards", "logs", "metrics", "traces", "files")


@dataclass
class Planted:
    """Byte strings by kind of data."""

    marks: dict[str, list[bytes]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def image(self, data: bytes) -> bytes:
        """Plant an image: a piece of its bytes as they are and as the base64 of the body, and its text."""
        inside = data[-48:]
        self.marks["images"] += [inside, base64.b64encode(data)[60:120]]
        self.marks["results"].append(stub_text(data).encode())
        return data

    def found_in(self, content: bytes) -> set[str]:
        """The kinds of data of which something is in `content`."""
        return {kind for kind, marks in self.marks.items() if any(mark in content for mark in marks)}


class Collector(ThreadingHTTPServer):
    """Takes traces over OTLP/HTTP and keeps the bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Intake)
        self.taken = b""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"
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


class Wiretap:
    """Every command that the queue received, as the server shows it (MONITOR)."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, decode_responses=False)
        self.lines: list[bytes] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = self._client.connection_pool.get_connection()
        connection.send_command("MONITOR")
        while not self._ended.is_set():
            if connection.can_read(timeout=0.1):
                line = connection.read_response(disable_decoding=True)
                self.lines.append(line if isinstance(line, bytes) else str(line).encode())
        connection.disconnect()

    def close(self) -> list[bytes]:
        """What was received, with escaped bytes turned back."""
        time.sleep(0.3)
        self._ended.set()
        self._thread.join(5)
        return [line.decode("latin-1").encode().decode("unicode_escape").encode("latin-1") for line in self.lines]


@dataclass
class Seen:
    """What was found: by place, and in the commands that keep answers."""

    places: dict[str, set[str]]
    kept: set[str]
    answers: list[Any]


def drive(client: Sandbox, planted: Planted) -> list[Any]:
    """Calls of every capability, good and faulty; their answers."""
    answers: list[Any] = []

    def send(name: str, *images: bytes, **more: Any) -> None:
        request_id = f"req-{uuid.uuid4().hex}"
        planted.marks["request ids"].append(request_id.encode())
        answers.append(
            client.call(CAPABILITIES[name], *images, request_id=request_id, **{"X-Forwarded-For": ADDRESS}, **more)
        )

    def marked(name: str) -> bytes:
        return planted.image(sample(name) + uuid.uuid4().hex.encode() * 4)

    for name, capability in CAPABILITIES.items():
        images = [marked(name) for _ in range(1 if capability.single else 2)]
        send(name, *images)
    send("general", marked("general") + b"inkgate-stub:raise")
    send("general", planted.image(b"not an image at all: " + uuid.uuid4().hex.encode() * 8))
    send("idcard", planted.image(sample("idcard")[:200] + uuid.uuid4().hex.encode() * 8))
    raw_faults(client, planted)
    return answers


def raw_faults(client: Sandbox, planted: Planted) -> None:
    """Bodies that are refused as a whole: invalid JSON, a wrong signature, a sealed body that cannot be opened."""
    mark = uuid.uuid4().hex * 4
    planted.marks["images"].append(mark.encode())
    path = client.keys["BASE_URL"] + CAPABILITIES["general"].paths[0]
    good_sk = client.keys["SK"].encode()
    bodies: list[tuple[bytes, bytes, dict[str, str]]] = [
        (f'{{"data": ["{mark}'.encode(), good_sk, {}),
        (json.dumps({"data": [mark + "*not base64*"]}).encode(), good_sk, {}),
        (json.dumps({"data": mark}).encode(), good_sk, {}),
        (json.dumps({"data": [mark]}).encode(), b"wrong", {}),
        (json.dumps({"encData": mark, "encKey": mark, "sign": mark}).encode(), good_sk, {"encType": "SM4"}),
    ]
    for body, secret, headers in bodies:
        signed = call_headers(client.keys["AK"], secret, client.keys["APPKEY"], body, "")
        request = urllib.request.Request(path, body, {**signed, **headers, "X-Forwarded-For": ADDRESS})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()  # an answer that was not received is kept
        except urllib.error.HTTPError as error:
            error.read()


async def database_content(url: str) -> bytes:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert len(tables) > 20
        rows = [await connection.fetch(f'SELECT t::text FROM "{each["tablename"]}" t') for each in tables]
        return "\n".join(str(row[0]) for found in rows for row in found).encode()
    finally:
        await connection.close()


def queue_content(url: str) -> bytes:
    """Every key of the queue with its value."""
    found = []
    readers = {
        b"string": lambda client, key: client.get(key),
        b"hash": lambda client, key: client.hgetall(key),
        b"stream": lambda client, key: client.xrange(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
        b"set": lambda client, key: client.smembers(key),
    }
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            if kind == b"none":  # it expired meanwhile
                continue
            value = readers[kind](client, key)
            found.append(key + b" " + (value if isinstance(value, bytes) else repr(value).encode()))
    return b"\n".join(found)


def files_content(folder: Path) -> bytes:
    return b"\n".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


@pytest.fixture(scope="module", params=["plain", "sealed", "none"])
def kept(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def seen(kept: str, postgres: Postgres, valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder, port, url = tmp_path_factory.mktemp("personal"), free_port(), postgres.empty()
    written, planted, collector = folder / "written", Planted(), Collector()
    written.mkdir()
    migrate.upgrade(url)
    keys = asyncio.run(provisioned(url))
    planted.marks["addresses"].append(ADDRESS.encode())
    telemetry = {
        "TELEMETRY__TRACES_ENDPOINT": collector.url,
        "TELEMETRY__LOG_FORMAT": "json",
        "TELEMETRY__LOG_LEVEL": "debug",
    }
    settings = {
        "REDIS__URL": valkey_server,
        "REDIS__NAMESPACE": f"p{port}",
        "DATABASE__URL": url,
        "SECURITY__MASTER_KEY": MASTER_KEY,
        "SECURITY__KEPT_ANSWERS": kept,
        "SERVER__PORT": port,
        "SERVER__TRUSTED_PROXIES": '["127.0.0.1/32"]',
    }
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(written))
        patch.chdir(written)
        logs = {name: stack.enter_context((folder / f"{name}.log").open("wb")) for name in ("gateway", "worker")}
        workers = WorkerHost(valkey_server, f"p{port}", processes=1, log=logs["worker"], **telemetry)
        stack.callback(workers.end)
        gateway = python("-m", "inkgate.service.cli", "gateway", log=logs["gateway"], **telemetry, **settings)
        stack.callback(gateway.wait, 30)
        stack.callback(gateway.terminate)
        wait_for(
            lambda: fetched(port, "readyz") and fetched(workers.port, "readyz"), 60, "gateway and worker are ready"
        )
        tap = Wiretap(valkey_server)
        client = Sandbox(dict(line.split("=", 1) for line in keys.lines(f"http://127.0.0.1:{port}")), 0)
        answers = drive(client, planted)
        commands = tap.close()
        time.sleep(1.5)  # deliveries are confirmed and kept answers dropped
        afterwards = queue_content(valkey_server)
        metrics = b"\n".join(fetched(each, "metrics") for each in (port, workers.port))
    collector.shutdown()
    contents = {
        "database": asyncio.run(database_content(url)),
        "queue during calls": b"\n".join(commands),
        "queue afterwards": afterwards,
        "logs": b"".join((folder / f"{name}.log").read_bytes() for name in logs),
        "metrics": metrics,
        "traces": collector.taken,
        "files": files_content(written),
    }
    assert b"inkgate_requests_total" in contents["metrics"] and len(contents["traces"]) > 1000
    assert contents["logs"].count(b"\n") > 10 and len(commands) > 20
    keeping = b"\n".join(line for line in commands if f"p{port}:answer:".encode() in line)
    assert bool(keeping) == (kept != "none")
    yield Seen(
        {place: planted.found_in(content) for place, content in contents.items()}, planted.found_in(keeping), answers
    )


def fetched(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
        return bytes(answer.read())


def table_of_the_page() -> dict[str, set[str]]:
    """Place → kinds of data, from the table of the page."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        place = next((each for each in PLACES if cells[0].endswith(f"· {each.capitalize()}")), None)
        if line.startswith("|") and place:
            assert all(cell in ("✓", "–") for cell in cells[1 : 1 + len(KINDS)]), line
            found[place] = {kind for kind, cell in zip(KINDS, cells[1:], strict=False) if cell == "✓"}
    return found


def test_personal_data_is_where_the_page_says_and_nowhere_else(seen: Seen, kept: str) -> None:
    expected = table_of_the_page()
    if kept != "plain":
        expected["queue during calls"] -= {"addresses", "request ids"}
    assert seen.places == expected
    assert {status for status, _ in seen.answers} <= {200, 400, 500}


def test_answers_are_kept_as_the_setting_says(seen: Seen, kept: str) -> None:
    assert "images" not in seen.kept
    assert ("results" in seen.kept) == (kept == "plain")


def test_every_capability_was_read(seen: Seen) -> None:
    good = [answer for status, answer in seen.answers[: len(CAPABILITIES)] if status == 200]
    assert len(good) == len(CAPABILITIES) and re.search("[0-9a-f]{16}", json.dumps(good))
