"""A small HTTP/1.1 proxy before the cloud's service; carries out a plan and remembers what went through it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from inkgate.service.contract.capabilities import CAPABILITIES
from tests.takeover.plan import Fault, Plan, PlannedFault

MAX_HEAD_BYTES = 1024 * 1024
REMEMBERED = 50_000  # requests and answers
STOP_SECONDS = 10
_REQUEST_ID = re.compile(rb"\r\nctyun-eop-request-id: *([^\r]*)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_GARBAGE = bytes(range(256)) * 4


@dataclass(frozen=True, slots=True)
class Received:
    """A request as its bytes came: head with the empty line, digest of the body as on the wire."""

    request_id: str
    head: bytes
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to a request: head and body as sent, the fault if there was one. After a reset both may be parts."""

    request_id: str
    head: bytes
    body: bytes
    fault: Fault | None

    @property
    def status(self) -> int:
        """The HTTP status; 0 when no byte was sent."""
        return int(self.head.split(b" ", 2)[1]) if self.head.startswith(b"HTTP/1.1 ") else 0


class CloudProxy:
    """Listens on a free port of 127.0.0.1 in a thread of its own. `context` chooses the TLS context of each handshake;
    without it the proxy speaks plain HTTP. `plan` may be replaced at any time."""

    def __init__(self, upstream: str, plan: Plan, context: Callable[[], ssl.SSLContext] | None = None) -> None:
        where = urlsplit(upstream)
        self._upstream = (where.hostname or "127.0.0.1", where.port or 80)
        self.plan, self._context = plan, context
        self.received: deque[Received] = deque(maxlen=REMEMBERED)
        self.sent: deque[Sent] = deque(maxlen=REMEMBERED)
        self.connections = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="cloud-proxy", daemon=True)

    def start(self, port: int = 0) -> None:
        """Listen; on `port`, or on a free one."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(STOP_SECONDS)

    def stop(self) -> None:
        """Close the port and reset all connections."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        self._loop.close()

    def refuse(self) -> None:
        """Close the port, so that new connections are refused, and reset those that are open."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOP_SECONDS)

    def listen_again(self) -> None:
        """Listen on the same port again after `refuse`."""
        asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(STOP_SECONDS)

    async def _listen(self, port: int) -> None:
        context = self._tls_context() if self._context else None
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, ssl=context, limit=MAX_HEAD_BYTES, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _tls_context(self) -> ssl.SSLContext:
        assert self._context is not None
        choose = self._context
        first = choose()

        def by_name(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = choose()

        first.sni_callback = by_name  # type: ignore[assignment]
        return first

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._exchange(reader, writer):
                    pass
        except asyncio.CancelledError:
            reset(writer)
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        if _EXPECT.search(head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, head)
        found = _REQUEST_ID.search(head)
        request_id = found[1].decode("latin-1") if found else ""
        self.received.append(Received(request_id, head, hashlib.sha256(body).hexdigest()))
        path = head.split(b" ", 2)[1].decode("latin-1")
        fault = self.plan.next_fault() if path.startswith("/v1/") else None
        answer = await self._answer(path, head, body, fault)
        self.sent.append(Sent(request_id, *answer, fault.kind if fault else None))
        return await self._send(writer, answer, fault) and not _CLOSE.search(head)

    async def _answer(self, path: str, head: bytes, body: bytes, fault: PlannedFault | None) -> tuple[bytes, bytes]:
        """Head and body of the answer; what is sent of them depends on the fault."""
        match fault.kind if fault else None:
            case Fault.STATUS:
                assert fault is not None
                page = b"<html><body><h1>The service is not available</h1></body></html>"
                return made_head(fault.status, "text/html", len(page)), page
            case Fault.GARBAGE:
                return made_head(200, "application/json", len(_GARBAGE)), _GARBAGE
            case Fault.NOT_HTTP:
                return b"", _GARBAGE
            case Fault.RESET | Fault.HANG:
                return b"", b""
        answer_head, answer_body = await self._ask(head, body)
        return self._changed(path, answer_head, answer_body)

    async def _ask(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Send the request on as it came, over a connection of its own."""
        reader, writer = await asyncio.open_connection(*self._upstream, limit=MAX_HEAD_BYTES)
        try:
            writer.write(head + body)
            await writer.drain()
            while (answer := await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 1"):
                pass
            return answer, await read_body(reader, answer)
        finally:
            writer.transport.abort()

    def _changed(self, path: str, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """The answer after the plan; only plain successful ones are changed."""
        capability = capability_of(path)
        try:
            parsed: Any = json.loads(body)
        except ValueError:
            return head, body
        if not capability or not isinstance(parsed, dict) or parsed.get("statusCode") != 0:
            return head, body
        made = self.plan.apply(capability, parsed)
        if made is None:
            return head, body
        new = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
        return _LENGTH.sub(b"\r\ncontent-length: %d" % len(new), head), new

    async def _send(
        self, writer: asyncio.StreamWriter, answer: tuple[bytes, bytes], fault: PlannedFault | None
    ) -> bool:
        """Send the answer as the fault has it; whether the connection may be used again."""
        head, body = answer
        if fault is not None and fault.seconds:
            await asyncio.sleep(fault.seconds)
        match fault.kind if fault else None:
            case Fault.RESET | Fault.HANG:
                reset(writer)
                return False
            case Fault.CUT:
                writer.write(head + body[: len(body) // 2])
                await writer.drain()
                reset(writer)
                return False
            case Fault.NOT_HTTP:
                writer.write(body)
                await writer.drain()
                writer.close()
                return False
        writer.write(head + body)
        await writer.drain()
        return True


def capability_of(path: str) -> str:
    """The capability of a call path, "" for another path."""
    plain = path.partition("?")[0].lower()
    for capability in CAPABILITIES.values():
        if plain in {each.lower() for each in capability.paths}:
            return capability.name
    return ""


def made_head(status: int, kind: str, length: int) -> bytes:
    """A head of our own making."""
    return b"HTTP/1.1 %d -\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (status, kind.encode(), length)


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The body behind a head, as on the wire: a chunked one with its chunk sizes."""
    if _CHUNKED.search(head):
        parts = []
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            parts += (line, await reader.readexactly(size + 2))
            if not size:
                return b"".join(parts)
    length = _LENGTH.search(head)
    return await reader.readexactly(int(length[1])) if length else b""


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a process that dies or a firewall does."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
