"""One body sent to a running gateway: its answer, the gateway's highest memory, and what /livez took meanwhile."""

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

from benchmarks.bodies.shapes import GENERAL, LICENCE, PLAIN, TURNED
from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers

MIB = 1 << 20
TIMES, BASE_MIB, LIVEZ_MS = 3, 150, 200  # the bounds: memory in bodies and MiB, and how long /livez may take
_EVERY = 0.01  # seconds between two looks at /livez
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one body. `peak_mib` is the highest resident memory of the gateway's process."""

    shape: str
    form: str  # "plain", "sealed" (the shape as the sealed body), "inside" (the shape sealed)
    capability: str
    body_mib: float
    code: int
    seconds: float
    peak_mib: int
    bound_mib: int
    livez_ms: float

    @property
    def within(self) -> bool:
        """Whether memory stayed within its bound."""
        return self.peak_mib <= self.bound_mib

    def row(self) -> dict[str, Any]:
        return asdict(self)


class Livez(threading.Thread):
    """Asks /livez over and over, each time on a new connection; `worst` is the longest answer in seconds."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._address, self._over, self.worst, self.looks = (host, port), threading.Event(), 0.0, 0

    def run(self) -> None:
        while not self._over.wait(_EVERY):
            began = time.perf_counter()
            connection = http.client.HTTPConnection(*self._address, timeout=60)
            connection.request("GET", "/livez")
            assert connection.getresponse().status == 200
            connection.close()
            self.worst, self.looks = max(self.worst, time.perf_counter() - began), self.looks + 1

    def stop(self) -> None:
        self._over.set()
        self.join()


class Gateway:
    """A running gateway: where it listens, the keys of an app, and its process."""

    def __init__(self, keys: dict[str, str], pid: int) -> None:
        parts = urlsplit(keys["BASE_URL"])
        assert parts.hostname and parts.port
        self.host, self.port, self._keys, self._pid = parts.hostname, parts.port, keys, pid

    def send(self, capability: Capability, body: bytes, *, sealed: bool) -> int:
        """One signed call; the answer's statusCode."""
        keys = self._keys
        headers = call_headers(keys["AK"], keys["SK"].encode(), keys["APPKEY"], body)
        if sealed:
            headers["decrypted"] = "true"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {capability.paths[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        with socket.create_connection((self.host, self.port), timeout=300) as connection:
            connection.sendall(head.encode())
            view = memoryview(body)
            for at in range(0, len(body), _PIECE):
                connection.sendall(view[at : at + _PIECE])
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            document = json.loads(answer.read())
        return int(str(document.get("statusCode", 0)).removeprefix("CTAPI_"))

    def trial(self, shape: str, form: str, size: int, capability: Capability) -> Trial:
        """Send a body of about `size` bytes and see what it costs."""
        body = self._body(shape, form, size)
        hashlib.sha256(body)
        self._forget_peak()
        livez = Livez(self.host, self.port)
        livez.start()
        began = time.perf_counter()
        code = self.send(capability, body, sealed=form != "plain")
        took = time.perf_counter() - began
        livez.stop()
        bound = TIMES * len(body) / MIB + BASE_MIB
        return Trial(
            shape,
            form,
            capability.name,
            round(len(body) / MIB, 1),
            code,
            round(took, 2),
            self._peak(),
            int(bound),
            round(livez.worst * 1e3, 1),
        )

    def _body(self, shape: str, form: str, size: int) -> bytes:
        if form != "inside":
            return PLAIN[shape](size)
        sealed, _ = Sealer(self._keys["ENCKEY"]).seal(PLAIN[shape](size * 3 // 4 - 1000))
        return sealed

    def _forget_peak(self) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    def _peak(self) -> int:
        status = Path(f"/proc/{self._pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


def plan() -> list[tuple[str, str, Capability]]:
    """Every shape in plain to a capability that takes batches, some to the free one, and those that unsealing meets."""
    plain = [(shape, "plain", GENERAL) for shape in PLAIN]
    free = [(shape, "plain", LICENCE) for shape in TURNED]
    sealed = [(shape, form, GENERAL) for shape in TURNED for form in ("sealed", "inside")]
    return [*plain, *free, *sealed, ("images", "inside", GENERAL)]
