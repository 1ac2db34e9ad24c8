"""A client's connection as an exchange sees it, beside ASGI: its end, its acknowledgements, its writes.

ASGI reports a disconnect only through `receive`, which takes a task of its own for each wait. It passes
head and body of an answer to the server apart, which writes them with two system calls, often in two packets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from inkgate.service.gateway.tcp_acknowledgement import AcknowledgementTracker

EXTENSION = "inkgate.connection"  # in scope["extensions"]


class Connection:
    """`lost` is set and `on_lost` called when the connection ends. There is one `on_lost`, since a connection answers
    one request at a time."""

    def __init__(self, transport: asyncio.Transport, acknowledgements: AcknowledgementTracker) -> None:
        self.acknowledgements = acknowledgements
        self.transport = CountingTransport(transport, acknowledgements)
        self.lost = False
        self.on_lost: Callable[[], None] | None = None

    def end(self) -> None:
        """To be called when the connection has ended."""
        self.lost = True
        if self.on_lost is not None:
            self.on_lost()


class CountingTransport:
    """Counts the bytes written to a transport; delegates everything else to it."""

    def __init__(self, transport: asyncio.Transport, acknowledgements: AcknowledgementTracker) -> None:
        self._transport, self._acknowledgements = transport, acknowledgements
        self._held: list[bytes] | None = None
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not data:
            return
        if self._held is not None:
            self._held.append(data)
            return
        self._acknowledgements.record_written(len(data))
        self._transport.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    @contextmanager
    def one_write(self) -> Iterator[None]:
        """Write what is written inside the block at its end, at once and without a copy of it."""
        held: list[bytes] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
            if held:
                self._acknowledgements.record_written(sum(len(piece) for piece in held))
                self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
