"""uvicorn's HTTP protocol with the bounds that it leaves to a proxy in front.

Alone it waits for ever for the rest of a request's head, takes a head of any length, and holds an answer for ever for a
client that does not read it. A gateway on a bare port needs limits of its own:

    head       complete within HEAD_SECONDS of its first byte, in at most HEAD_BYTES      → 408, 431
    silence    a connection that never asks anything is closed after HEAD_SECONDS
    stall      a client that takes nothing of its answer for STALL_SECONDS is cut off
    remainder  a body that was answered before it was read may trickle on for DRAIN_SECONDS
    repeats    of Host or Content-Length                                                  → 400
    number     connections above `max_connections` are closed at once
    share      at most READ_BYTES a turn of the loop; a remainder comes at REMAINDER_BYTES a second, so that others do
               not wait for what nobody will read
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inkgate.service.contract.headers import Surface, refused_repeats
from inkgate.service.gateway.delivery import EXTENSION, Acknowledgements, CountedTransport, Waiting
from inkgate.service.gateway.descriptors import MOST
from inkgate.service.gateway.request_line import RAW_QUERY, RequestLine

HEAD_SECONDS = 20.0
HEAD_BYTES = 64 * 1024
STALL_SECONDS = 30.0
DRAIN_SECONDS = 20.0
READ_BYTES = 64 * 1024
REMAINDER_BYTES = 64 * 1024 * 1024

_REFUSAL = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `_in_head` is true from its start, and from the end of each request, to the end of a head."""

    max_connections = MOST
    waiting = Waiting()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head, self._head_bytes = True, 0
        self._line = RequestLine()
        self._ended = False  # whether a request ended within the data at hand
        self._deadline: asyncio.TimerHandle | None = None  # of the head, or of a body nobody reads any more
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._acknowledgements = Acknowledgements(self.loop, transport, self.waiting)
        super().connection_made(CountedTransport(transport, self._acknowledgements))  # type: ignore[arg-type]
        if len(self.connections) + self.waiting.closing > self.max_connections:
            transport.abort()
            return
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # asyncio takes four times as much
        self._arm(HEAD_SECONDS, self._silent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._stall:
            self._stall.cancel()
        self._acknowledgements.lost(orderly=exc is None)
        self._unset_keepalive_if_required()  # uvicorn does so only after an orderly end
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._ended = False
        self._acknowledgements.look()  # they come with the next request
        super().data_received(self._line.shown(data) if self._in_head else data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            if self._idle():
                self._pace(len(data))
            return
        self._head_bytes += 0 if self._ended else len(data)  # how much came after the end is small and not known
        if self._head_bytes > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large", b"The request's head is too large.")
        elif self._deadline is None and self._idle():
            self._arm(HEAD_SECONDS, self._slow)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._ended:
            self._line.skip()
        self.scope["extensions"] = {EXTENSION: self._acknowledgements}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        if names := refused_repeats(self.headers, Surface.SERVER):
            raise ValueError(f"repeated header {names[0]}")  # answered 400, as any head that is no HTTP
        self._in_head, self._head_bytes = False, 0
        self._disarm()
        super().on_headers_complete()
        if (query := self._line.query) is not None:
            self.scope["extensions"][RAW_QUERY] = query  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        self._in_head = self._ended = True
        self._line = RequestLine()
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_stall()  # close() waits for the client to take the rest
        elif not self._in_head:
            self._arm(DRAIN_SECONDS, self.transport.close)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_stall()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall:
            self._stall.cancel()
            self._stall = None

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _pace(self, size: int) -> None:
        """Let a remainder rest until its rate allows more."""
        self.transport.pause_reading()
        self.loop.call_later(size / REMAINDER_BYTES, self._read_on)

    def _read_on(self) -> None:
        if not self.flow.read_paused:  # by uvicorn, which has its own reasons
            self.transport.resume_reading()

    def _watch_stall(self) -> None:
        if self._stall is None:
            left = self.transport.get_write_buffer_size()
            self._stall = self.loop.call_later(STALL_SECONDS, self._stalled, left)

    def _stalled(self, left: int) -> None:
        """Cut off a client that has taken nothing since; one that has taken something gets as long again."""
        self._stall = None
        now = self.transport.get_write_buffer_size()
        if now == 0 and not self.transport.is_closing():
            return
        if now >= left:
            self.transport.abort()
        else:
            self._watch_stall()

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _silent(self) -> None:
        if self._head_bytes:
            self._slow()
        else:
            self.transport.close()

    def _slow(self) -> None:
        self._refuse(b"408 Request Timeout", b"The request's head took too long.")

    def _refuse(self, status: bytes, text: bytes) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.write(_REFUSAL % (status, len(text), text))
            self.transport.close()
            self._watch_stall()


def guarded(max_connections: int) -> type[GuardedProtocol]:
    """The protocol class of a server that holds at most so many connections."""
    return type("GuardedProtocol", (GuardedProtocol,), {"max_connections": max_connections, "waiting": Waiting()})
