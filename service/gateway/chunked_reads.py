"""Reads of limited size from a connection, on any event loop.

asyncio reads up to 256 KiB at once into a new object, uvloop up to 250 KiB, and neither has a setting for it. Both read
into the buffer of a `BufferedProtocol`, so its size is the limit, and they call `get_buffer` and `buffer_updated` one
after the other without another read in between: one buffer serves all connections of an event loop.
"""

from __future__ import annotations

import asyncio


class ChunkedReads(asyncio.BufferedProtocol):
    """Passes what a connection receives to `protocol`, in pieces of at most the length of `buffer`."""

    def __init__(self, protocol: asyncio.Protocol, buffer: memoryview) -> None:
        self._buffer, self._receive = buffer, protocol.data_received
        self.protocol = protocol
        # The rest is the protocol's own, without a call in between.
        self.connection_made = protocol.connection_made  # type: ignore[method-assign]
        self.connection_lost = protocol.connection_lost  # type: ignore[method-assign]
        self.eof_received = protocol.eof_received  # type: ignore[method-assign]
        self.pause_writing = protocol.pause_writing  # type: ignore[method-assign]
        self.resume_writing = protocol.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer for the next read."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read: the buffer is about to be used for another connection."""
        self._receive(bytes(self._buffer[:nbytes]))
