"""Send one body to a running gateway and measure its answer, the gateway's peak memory and the latency of /livez."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inkgate_client._sealing import Sealer

from benchmarks.bodies.shapes import ALSO_SEALED, GENERAL, LICENCE, PLAIN
from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers

MIB = 1 << 20
MAX_BODIES, BASE_MIB = 3, 170  # memory bound: this many times the body, plus a constant (an idle process: 150 MiB)
MAX_LIVEZ_MS = 200
_LIVEZ_INTERVAL = 0.01  # seconds
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BodyRun:
    """The result of one body. `peak_mib` is the peak resident memory of the gateway process."""

    shape: str
    form: str  # "plain", "sealed" (the plain shape sent as if encrypted), "inside" (the shape encrypted)
    capability: str
    body_mib: float
    code: int
    seconds: float
    peak_mib: int
    bound_mib: int
    livez_ms: float

    @property
    def within_bound(self) -> bool:
        """Whether peak memory stayed within its bound."""
        return self.peak_mib <= self.bound_mib

    def row(self) -> dict[str, Any]:
        return asdict(self)


class Livez(threading.Thread):
    """Requests /livez repeatedly, each time on a new connection; `worst` is the slowest answer in seconds."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._address, self._stopped, self.worst, self.requests = (host, port), threading.Event(), 0.0, 0

    def run(self) -> None:
        while not self._stopped.wait(_LIVEZ_INTERVAL):
            began = time.perf_counter()
            connection = http.client.HTTPConnection(*self._address, timeout=60)
            connection.request("GET", "/livez")
            assert connection.getresponse().status == 200
            connection.close()
            self.worst, self.requests = max(self.worst, time.perf_counter() - began), self.requests + 1

    def stop(self) -> None:
        self._stopped.set()
        self.join()


class Gateway:
    """A running gateway: its address, the keys of an app, and its process."""

    def __init__(self, keys: dict[str, str], pid: int) -> None:
        parts = urlsplit(keys["BASE_URL"])
        assert parts.hostname and parts.port
        self.host, self.port, self._keys, self._pid = parts.hostname, parts.port, keys, pid

    def send(self, capability: Capability, body: bytes, *, sealed: bool) -> int:
        """Send one signed call and return the numeric statusCode of the answer."""
        keys = self._keys
        headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
        if sealed:
            headers["decrypted"] = "true"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {capability.paths[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        with socket.create_connection((self.host, self.port), timeout=300) as connection:
            connection.sendall(head.encode())
            view = memoryview(body)
            for at in range(0, len(body), _CHUNK_BYTES):
                connection.sendall(view[at : at + _CHUNK_BYTES])
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            document = json.loads(answer.read())
        return int(str(document.get("statusCode", 0)).removeprefix("CTAPI_"))

    def measure(self, shape: str, form: str, size: int, capability: Capability) -> BodyRun:
        """Send a body of about `size` bytes and measure memory and latency of the gateway."""
        body = self._body(shape, form, size)
        hashlib.sha256(body)
        self._reset_peak()
        livez = Livez(self.host, self.port)
        livez.start()
        began = time.perf_counter()
        code = self.send(capability, body, sealed=form != "plain")
        seconds = time.perf_counter() - began
        livez.stop()
        bound = MAX_BODIES * len(body) / MIB + BASE_MIB
        return BodyRun(
            shape,
            form,
            capability.name,
            round(len(body) / MIB, 1),
            code,
            round(seconds, 2),
            self._peak(),
            int(bound),
            round(livez.worst * 1e3, 1),
        )

    def _body(self, shape: str, form: str, size: int) -> bytes:
        if form != "inside":
            return PLAIN[shape](size)
        sealed, _ = Sealer(self._keys["ENCKEY"]).seal(PLAIN[shape](size * 3 // 4 - 1000))
        return sealed

    def _reset_peak(self) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    def _peak(self) -> int:
        status = Path(f"/proc/{self._pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


def plan() -> list[tuple[str, str, Capability]]:
    """The runs as (shape, form, capability): every shape in plain text to a batch capability, some to a free one, and
    some encrypted."""
    plain = [(shape, "plain", GENERAL) for shape in PLAIN]
    free = [(shape, "plain", LICENCE) for shape in ALSO_SEALED]
    sealed = [(shape, form, GENERAL) for shape in ALSO_SEALED for form in ("sealed", "inside")]
    return [*plain, *free, *sealed, ("images", "inside", GENERAL)]
