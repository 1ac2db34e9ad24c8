"""HTTP/1.1 client of the cloud: sends a call as the client made it, byte for byte, and returns the answer as it came.

The head of the request is written here, since every HTTP library normalises something: the case and order of header
names, the position of Host, raw bytes above 0x7f in the query. The answer is parsed by h11.

A request is never sent twice. A connection that stood idle may be closed by the other side at the moment it is used,
and a proxy must not repeat a POST (RFC 9110, 9.2.2); idle connections are therefore dropped after IDLE_SECONDS, long
before servers do so. Only connecting is tried twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import h11

from inkgate.service.errors import ConfigurationError, Overloaded, UpstreamFailed, UpstreamTimedOut
from inkgate.service.settings import Takeover
from inkgate.service.takeover.endpoint import Endpoint, open_connection

IDLE_SECONDS = 15.0  # servers keep idle connections for 60 s and more as a rule
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
SMALL_BODY_BYTES = 64 * 1024  # smaller bodies are written at once, larger ones while the answer is awaited
_PIECE_BYTES = 256 * 1024
_CONNECT_ATTEMPTS = 2

RawHeaders = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer", b"upgrade"}
)
"""Headers of one connection (RFC 9110, 7.6.1), besides those that Connection names; Transfer-Encoding is handled with
Content-Length."""

_FORBIDDEN_IN_VALUES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # what uvicorn refuses to send on


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request as it was received: `target` is path and query as sent, `headers` with names in their case."""

    method: bytes
    target: bytes
    headers: RawHeaders = field(repr=False)
    body: bytes | bytearray = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """The cloud's answer without the headers of its connection; `seconds` until its last byte."""

    status: int
    headers: RawHeaders = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float


class Upstream:
    """The connections of one gateway to the cloud."""

    def __init__(self, settings: Takeover) -> None:
        """Raises ConfigurationError when `ca_file` cannot be read."""
        self._settings, self._endpoint = settings, Endpoint.of(settings, _tls_context(settings))
        self._idle: list[_Connection] = []  # the last one used at the end
        self._free = asyncio.Semaphore(settings.max_connections)

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send a request and return the whole answer.

        Raises UpstreamFailed when the cloud cannot be reached, breaks off or answers with malformed HTTP,
        UpstreamTimedOut when the answer is not complete in time, Overloaded when no connection becomes free in time.
        Cancelling closes the connection.
        """
        begin = time.perf_counter()
        await self._wait_for_free()
        try:
            connection = await self._connection()
            try:
                async with asyncio.timeout(self._settings.read_timeout):
                    status, headers, body = await connection.exchange(request)
            except TimeoutError:
                raise UpstreamTimedOut("the cloud did not answer in time") from None
            except (OSError, EOFError, h11.RemoteProtocolError) as error:
                raise UpstreamFailed(f"the cloud's answer: {type(error).__name__}: {error}") from error
            finally:
                self._give_back(connection)
        finally:
            self._free.release()
        return UpstreamAnswer(status, headers, body, time.perf_counter() - begin)

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _wait_for_free(self) -> None:
        try:
            await asyncio.wait_for(self._free.acquire(), self._settings.connect_timeout)
        except TimeoutError:
            raise Overloaded(f"all {self._settings.max_connections} connections to the cloud are in use") from None

    async def _connection(self) -> _Connection:
        """An idle connection that is still open, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(time.monotonic()):
                return connection
            connection.close()
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                return _Connection(*await self._connect())
        except TimeoutError:
            raise UpstreamTimedOut("no connection to the cloud in time") from None
        except (OSError, EOFError, ValueError) as error:  # ssl.CertificateError is an OSError
            raise UpstreamFailed(f"no connection to the cloud: {type(error).__name__}: {error}") from error

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for attempt in range(1, _CONNECT_ATTEMPTS):
            try:
                return await open_connection(self._endpoint)
            except ssl.SSLError:
                raise  # another attempt gives the same certificate
            except (OSError, EOFError):
                await asyncio.sleep(0.05 * attempt)
        return await open_connection(self._endpoint)

    def _give_back(self, connection: _Connection) -> None:
        if connection.reusable:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()


class _Connection:
    """One connection, used by one call at a time. `reusable` after a complete exchange."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.reusable, self.idle_since = False, 0.0

    def usable(self, now: float) -> bool:
        """Whether an idle connection may be used again: neither old, nor closed, nor with unexpected bytes."""
        return now - self.idle_since < IDLE_SECONDS and not self._writer.is_closing() and not self._has_input()

    def _has_input(self) -> bool:
        """Whether bytes, the end of the stream or an error wait to be read. Some servers send an answer (408) to an
        idle connection before they close it; it must not become the answer to the next call."""
        probe = self._reader.read(1)
        try:
            probe.send(None)  # returns only when the coroutine would wait
        except (StopIteration, OSError):
            return True
        finally:
            probe.close()
        return False

    def close(self) -> None:
        self.reusable = False
        with contextlib.suppress(OSError, RuntimeError):  # the event loop may be closed already
            self._writer.transport.abort()

    async def exchange(self, request: UpstreamRequest) -> tuple[int, RawHeaders, bytes]:
        """Send a request and read status, headers and body of the answer. Raises OSError, EOFError,
        h11.RemoteProtocolError."""
        self.reusable = False
        self._writer.write(request_head(request))
        if len(request.body) <= SMALL_BODY_BYTES:
            self._writer.write(request.body)
            return await self._read(request.method)
        sending = asyncio.ensure_future(self._write_pieces(request.body))
        try:
            answer = await self._read(request.method)
            # A server may answer before it has the whole body, and reads no more then.
            self.reusable = self.reusable and sending.done() and sending.exception() is None
            return answer
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _write_pieces(self, body: bytes | bytearray) -> None:
        with memoryview(body) as view:
            for at in range(0, len(view), _PIECE_BYTES):
                self._writer.write(bytes(view[at : at + _PIECE_BYTES]))
                await self._writer.drain()

    async def _read(self, method: bytes) -> tuple[int, RawHeaders, bytes]:
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        parser.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"-")]))  # for the framing rules only
        parser.send(h11.EndOfMessage())
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await self._reader.read(_PIECE_BYTES))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_ANSWER_BYTES:
                    raise h11.RemoteProtocolError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended without an answer")
        assert head is not None
        self.reusable = parser.their_state is h11.DONE and not parser.trailing_data[0]
        return head.status_code, answer_headers(head.headers.raw_items(), head.status_code, len(body)), bytes(body)


def request_head(request: UpstreamRequest) -> bytes:
    """Request line and headers as the client sent them, without those of its connection.

    Expect is left out, since the body is complete here. A chunked body gets a Content-Length in place of its
    Transfer-Encoding.
    """
    dropped = _dropped(request.headers) | {b"expect"}
    lines, has_length = [request.method + b" " + request.target + b" HTTP/1.1\r\n"], False
    for name, value in request.headers:
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            if not has_length:
                label = name if lower == b"content-length" else b"Content-Length"
                lines.append(b"%s: %d\r\n" % (label, len(request.body)))
            has_length = True
        elif lower not in dropped:
            lines.append(name + b": " + value + b"\r\n")
    if not has_length and (request.body or request.method == b"POST"):
        lines.append(b"Content-Length: %d\r\n" % len(request.body))
    return b"".join(lines) + b"\r\n"


def answer_headers(raw: Iterable[tuple[bytes, bytes]], status: int, length: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they came, without those of its connection, with the length of its body.

    Raises h11.RemoteProtocolError for a value that must not be sent on, or a status that HTTP does not have.
    """
    raw = list(raw)
    if not 200 <= status <= 599:
        raise h11.RemoteProtocolError(f"status {status}")
    dropped = _dropped(raw) | {b"transfer-encoding", b"content-length"}
    if any(_FORBIDDEN_IN_VALUES.search(value) for _, value in raw):
        raise h11.RemoteProtocolError("a header value with control characters")
    kept = [(name, value) for name, value in raw if name.lower() not in dropped]
    return kept if status in (204, 304) else [*kept, (b"content-length", b"%d" % length)]


def _dropped(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The names, in lower case, of the headers of one connection."""
    named = (value for name, value in headers if name.lower() == b"connection")
    tokens = {token.strip().lower() for value in named for token in value.split(b",")}
    return HOP_BY_HOP | (tokens - {b"host", b"content-length", b"transfer-encoding"})


def _tls_context(settings: Takeover) -> ssl.SSLContext | None:
    """Raises ConfigurationError when the CA file cannot be read."""
    if not settings.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            "INKGATE_TAKEOVER__CA_FILE", f"{settings.ca_file}: {error.strerror or error}", "Name a PEM file."
        ) from None
