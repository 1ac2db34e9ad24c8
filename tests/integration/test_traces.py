"""One trace from the client through gateway, Redis and worker, as a collector gets it, and the same ids in the logs.

Gateway and workers are processes of their own with the chart's settings; only the engine is the stub.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import migrate
from inkgate.service.samples import sample
from tests.crash.processes import WorkerHost, python
from tests.keys import MASTER_KEY, provisioned
from tests.monitoring.deployment import wait_for
from tests.postgres import Postgres
from tests.sandbox import Sandbox
from tests.valkey import free_port

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    trace: str
    span: str
    parent: str


class Collector(ThreadingHTTPServer):
    """What an OpenTelemetry collector is to us: a place that takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Intake)
        self.spans: list[Span] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Intake(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        message = ExportTraceServiceRequest()
        message.ParseFromString(gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data)
        for group in message.resource_spans:
            names = {item.key: item.value.string_value for item in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    self.server.spans.append(Span(names["service.name"], span.name, *ids))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Seen:
    """What one call left behind."""

    request_id: str
    spans: list[Span]
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(postgres: Postgres, valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A call with two images, of which the engine fails on the second; then both processes are stopped."""
    folder, port, url, request_id = tmp_path_factory.mktemp("traces"), free_port(), postgres.empty(), str(uuid.uuid4())
    migrate.upgrade(url)
    keys = asyncio.run(provisioned(url))
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    telemetry = {"TELEMETRY__TRACES_ENDPOINT": collector.url, "TELEMETRY__LOG_FORMAT": "json"}
    stores = {
        "REDIS__URL": valkey_server,
        "REDIS__NAMESPACE": f"t{port}",
        "DATABASE__URL": url,
        "SECURITY__MASTER_KEY": MASTER_KEY,
        "SERVER__PORT": port,
    }
    with ExitStack() as stack:
        logs = {name: stack.enter_context((folder / name).open("wb")) for name in ("gateway", "worker")}
        workers = WorkerHost(valkey_server, f"t{port}", processes=1, log=logs["worker"], **telemetry)
        stack.callback(workers.end)
        gateway = python("-m", "inkgate.service.cli", "gateway", log=logs["gateway"], **telemetry, **stores)
        stack.callback(gateway.wait, 30)
        stack.callback(gateway.terminate)
        wait_for(lambda: ready(port) and ready(workers.port), 60, "gateway and worker are ready")
        client = Sandbox(dict(line.split("=", 1) for line in keys.lines(f"http://127.0.0.1:{port}")), 0)
        status, answer = client.call(
            CAPABILITIES["general"],
            sample("general"),
            sample("general") + b"inkgate-stub:raise",
            request_id=request_id,
            traceparent=f"00-{TRACE}-{SPAN}-01",
        )
        assert status == 200, answer
    collector.shutdown()
    found = Seen(request_id, collector.spans)
    for name in logs:
        found.logs[name] = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    yield found


def ready(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
        return bool(answer.status == 200)


def test_spans_of_both_processes_hang_on_the_clients(seen: Seen) -> None:
    assert {span.trace for span in seen.spans} == {TRACE}
    (call,) = [span for span in seen.spans if span.name == "call"]
    assert (call.service, call.parent) == ("inkgate-gateway", SPAN)
    reads = [span for span in seen.spans if span.name == "read"]
    assert [(span.service, span.parent) for span in reads] == [("inkgate-worker", call.span)] * 2


def test_every_log_line_is_an_object_and_those_of_the_call_carry_its_ids(seen: Seen) -> None:
    for line in (line for lines in seen.logs.values() for line in lines):
        assert {"time", "level", "logger", "message"} <= set(line)
    (call,) = [line for line in seen.logs["gateway"] if line["message"] == "call"]
    assert (call["request_id"], call["trace_id"], call["images"]) == (seen.request_id, TRACE, 2)
    (failed,) = [line for line in seen.logs["worker"] if line["message"] == "reading failed"]
    assert (failed["trace_id"], failed["call_id"]) == (TRACE, call["call_id"])
    assert "planted fault" in failed["exception"]
