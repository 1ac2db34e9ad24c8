"""uvicorn's HTTP protocol with the limits that it leaves to a proxy.

uvicorn itself waits without limit for the rest of a request head, accepts heads of any length, and keeps an answer
without limit for a client that does not read it. A gateway without a proxy needs limits:

    head       complete within HEAD_SECONDS of its first byte, in at most HEAD_BYTES      → 408, 431
    idle       a connection without a request is closed after HEAD_SECONDS
    stall      a client that reads nothing of its answer for STALL_SECONDS is disconnected
    remainder  a body that was answered before it was read is discarded for DRAIN_SECONDS
    repeats    of Host or Content-Length                                                  → 400
    number     connections above `max_connections` are closed at once
    fairness   at most READ_CHUNK_BYTES are read per loop iteration; a remainder is read at REMAINDER_BYTES_PER_SECOND,
               so that discarded bytes do not delay other connections
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inkgate.service.contract.headers import Surface, refused_repeats
from inkgate.service.gateway.chunked_reads import ChunkedReads
from inkgate.service.gateway.connection import EXTENSION, Connection
from inkgate.service.gateway.descriptors import MAX_CONNECTIONS
from inkgate.service.gateway.request_line import RAW_QUERY, RequestLine
from inkgate.service.gateway.tcp_acknowledgement import AcknowledgementTracker, PendingAnswers

HEAD_SECONDS = 20.0
HEAD_BYTES = 64 * 1024
STALL_SECONDS = 30.0
DRAIN_SECONDS = 20.0
READ_CHUNK_BYTES = 64 * 1024
REMAINDER_BYTES_PER_SECOND = 64 * 1024 * 1024

_REFUSAL = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
)


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. `_in_head`: the next bytes belong to a request head, from the start or the previous request's
    end until the head is complete."""

    max_connections = MAX_CONNECTIONS
    pending = PendingAnswers()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head, self._head_bytes = True, 0
        self._request_line = RequestLine()
        self._request_ended = False  # whether a request ended within the data at hand
        self._deadline_timer: asyncio.TimerHandle | None = None  # of the head, or of a discarded body
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._acknowledgements = AcknowledgementTracker(self.loop, transport, self.pending)
        self._connection = Connection(transport, self._acknowledgements)
        super().connection_made(self._connection.transport)  # type: ignore[arg-type]
        if len(self.connections) + self.pending.closing > self.max_connections:
            transport.abort()
            return
        self._start_timer(HEAD_SECONDS, self._on_idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        if self._stall_timer:
            self._stall_timer.cancel()
        self._acknowledgements.connection_lost(orderly=exc is None)
        self._unset_keepalive_if_required()  # uvicorn does so only after an orderly close
        super().connection_lost(exc)
        self._connection.end()

    def data_received(self, data: bytes) -> None:
        self._request_ended = False
        self._acknowledgements.poll_kernel()  # acknowledgements often arrive with the next request
        super().data_received(self._request_line.rewritten(data) if self._in_head else data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            if self._idle():
                self._throttle(len(data))
            return
        self._head_bytes += 0 if self._request_ended else len(data)  # bytes after a request's end are few; not counted
        if self._head_bytes > HEAD_BYTES:
            self._reject(b"431 Request Header Fields Too Large", b"The request's head is too large.")
        elif self._deadline_timer is None and self._idle():
            self._start_timer(HEAD_SECONDS, self._on_slow_head)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._request_ended:
            self._request_line.skip()
        self.scope["extensions"] = {EXTENSION: self._connection}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        if names := refused_repeats(self.headers, Surface.SERVER):
            raise ValueError(f"repeated header {names[0]}")  # answered 400, like any malformed head
        self._in_head, self._head_bytes = False, 0
        self._cancel_timer()
        super().on_headers_complete()
        if (query := self._request_line.query) is not None:
            self.scope["extensions"][RAW_QUERY] = query  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        self._in_head = self._request_ended = True
        self._request_line = RequestLine()
        self._cancel_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_stall()  # close() waits for the client to take the rest
        elif not self._in_head:
            self._start_timer(DRAIN_SECONDS, self.transport.close)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_stall()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _throttle(self, size: int) -> None:
        """Pause reading a discarded body so that it arrives at REMAINDER_BYTES_PER_SECOND."""
        self.transport.pause_reading()
        self.loop.call_later(size / REMAINDER_BYTES_PER_SECOND, self._resume_reading)

    def _resume_reading(self) -> None:
        if not self.flow.read_paused:  # uvicorn paused reading itself
            self.transport.resume_reading()

    def _watch_stall(self) -> None:
        if self._stall_timer is None:
            left = self.transport.get_write_buffer_size()
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._on_write_stall, left)

    def _on_write_stall(self, left: int) -> None:
        """Disconnect a client that has read nothing since; otherwise restart the timer."""
        self._stall_timer = None
        now = self.transport.get_write_buffer_size()
        if now == 0 and not self.transport.is_closing():
            return
        if now >= left:
            self.transport.abort()
        else:
            self._watch_stall()

    def _start_timer(self, seconds: float, callback: Any) -> None:
        self._cancel_timer()
        self._deadline_timer = self.loop.call_later(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._deadline_timer:
            self._deadline_timer.cancel()
            self._deadline_timer = None

    def _on_idle_timeout(self) -> None:
        if self._head_bytes:
            self._on_slow_head()
        else:
            self.transport.close()

    def _on_slow_head(self) -> None:
        self._reject(b"408 Request Timeout", b"The request's head took too long.")

    def _reject(self, status: bytes, text: bytes) -> None:
        self._cancel_timer()
        if not self.transport.is_closing():
            self.transport.write(_REFUSAL % (status, len(text), text))
            self.transport.close()
            self._watch_stall()


def limited_protocol(max_connections: int, base: type[LimitedHttpProtocol]) -> Callable[..., ChunkedReads]:
    """Makes the protocols of one server with at most `max_connections` connections: `base` behind reads of at most
    READ_CHUNK_BYTES."""
    limited = type(base.__name__, (base,), {"max_connections": max_connections, "pending": PendingAnswers()})
    buffer = memoryview(bytearray(READ_CHUNK_BYTES))

    def protocol(*arguments: Any, **named: Any) -> ChunkedReads:
        return ChunkedReads(limited(*arguments, **named), buffer)

    return protocol
