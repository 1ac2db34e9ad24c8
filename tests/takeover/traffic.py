"""Clients that keep calling while the calls move, and what must hold of every single call afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from tests.gateway import PNG, body_of
from tests.takeover.proxy import CloudProxy, Sent

HOP_BY_HOP = (b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"expect")
CAPABILITY_NAMES = ("idcard", "general", "plate")  # those that use units
SECONDS = 30


@dataclass(frozen=True)
class Seen:
    """A call as its client saw it."""

    request_id: str
    capability: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float


@dataclass
class Caller:
    """One client with a connection of its own, opened again when it was closed."""

    base: str
    keys: Keys
    _connection: http.client.HTTPConnection | None = None

    def call(self, name: str = "idcard", *, request_id: str = "", images: int = 1) -> Seen:
        """One signed call. Raises OSError or http.client.HTTPException when there was no answer."""
        request_id = request_id or str(uuid.uuid4())
        capability = CAPABILITIES[name]
        body = json.dumps(body_of(capability, *[PNG] * images)).encode()
        headers = call_headers(self.keys.ak, self.keys.sk.encode(), self.keys.appkey, body, request_id)
        begin = time.perf_counter()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=SECONDS)
        try:
            self._connection.request("POST", capability.paths[0], body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        seconds = time.perf_counter() - begin
        return Seen(request_id, name, response.status, tuple(response.getheaders()), content, seconds)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Traffic:
    """Calls of several clients: those that were answered, and the errors of those that were not."""

    seen: list[Seen] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(each.status for each in self.seen)


@contextlib.contextmanager
def traffic(base: str, keys: Keys, *, clients: int = 3, pause: float = 0.01) -> Iterator[Traffic]:
    """Clients that call one after another, each `pause` seconds after its last answer, until the block ends."""
    made, stop = Traffic(), threading.Event()

    def run(number: int) -> None:
        caller = Caller(base, keys)
        count = number
        while not stop.is_set():
            try:
                made.seen.append(caller.call(CAPABILITY_NAMES[count % len(CAPABILITY_NAMES)]))
            except (OSError, http.client.HTTPException) as error:
                made.lost.append(repr(error))
            count += 1
            stop.wait(pause)
        caller.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for each in threads:
        each.start()
    try:
        yield made
    finally:
        stop.set()
        for each in threads:
            each.join(SECONDS)


def units_by_request(folder: Path) -> Counter[str]:
    """Request id → units in the ledger of an installation, lines without units included."""
    found: Counter[str] = Counter()
    with contextlib.closing(sqlite3.connect(folder / "inkgate.db")) as database:
        for request_id, units in database.execute("SELECT request_id, units FROM usage_record"):
            found[request_id] += units
    return found


def used_units(folder: Path) -> int:
    """The units that the packs of an installation have lost."""
    with contextlib.closing(sqlite3.connect(folder / "inkgate.db")) as database:
        return int(database.execute("SELECT SUM(used) FROM pack").fetchone()[0])


def answers_of(proxy: CloudProxy) -> dict[str, list[Sent]]:
    """Request id → what the cloud sent."""
    found: dict[str, list[Sent]] = {}
    for sent in tuple(proxy.sent):
        found.setdefault(sent.request_id, []).append(sent)
    return found


def header_lines(head: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a head, names in lower case, without those of the connection."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
    return [(name.lower(), value.strip()) for name, _, value in lines if name.lower() not in HOP_BY_HOP]


def check_unaltered(each: Seen, sent: Sent) -> None:
    """The client got what the cloud sent: status, headers in order, body."""
    got = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in each.headers]
    assert each.status == sent.status
    assert each.body == sent.body
    assert [line for line in got if line[0] not in HOP_BY_HOP] == header_lines(sent.head)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
