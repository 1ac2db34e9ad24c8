"""/livez /readyz /startupz /healthz /metrics on their own port, from a thread, for processes without a web app.

A thread, so that a worker whose engine runs native code still answers; standard library only.
"""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from inkgate.service.background import Background
from inkgate.service.telemetry.health import Health, Report
from inkgate.service.telemetry.metrics import Metrics

_JOIN_SECONDS = 5.0


class ProbeServer:
    """Serves `health` and `metrics` on host:port (port 0: any free one) until `close`."""

    def __init__(
        self, health: Health, metrics: Metrics, host: str, port: int, background: Background | None = None
    ) -> None:
        handler = type("Handler", (_Handler,), {"health": health, "metrics": metrics})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = (background or Background()).thread("probes", self._server.serve_forever)
        self._started = False

    def start(self) -> None:
        self._started = True
        self._thread.start()

    def close(self) -> None:
        """Stop the server; may be called before `start`."""
        self._thread.expect_exit()
        if self._started:  # shutdown() would wait forever for a loop that was never started
            self._server.shutdown()
        self._server.server_close()
        if self._started:
            self._thread.join(_JOIN_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    health: ClassVar[Health]
    metrics: ClassVar[Metrics]
    timeout = 5  # seconds to receive a request
    server_version, sys_version = "inkgate", ""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/livez":
                self._report(self.health.live())
            case "/startupz":
                self._report(self.health.startup())
            case "/readyz" | "/healthz":
                self._report(asyncio.run(self.health.ready()))
            case "/metrics":
                body, kind = self.metrics.render(", ".join(self.headers.get_all("Accept", [])))
                self._send(200, body, kind)
            case _:
                self._send(404, b"not found\n", "text/plain; charset=utf-8")

    def _report(self, report: Report) -> None:
        self._send(report.http_status, json.dumps(report.body()).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probe requests are not logged."""
