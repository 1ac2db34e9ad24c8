"""A TCP address that stays the same while the server behind it changes, as a virtual IP or a managed endpoint does."""

from __future__ import annotations

import asyncio
import contextlib

from tests.valkey import free_port

Target = str | int
"""The path of a Unix socket, or a port of this host."""


class FixedAddress:
    """Forwards connections of `port` to `target`. Without a target they are refused."""

    def __init__(self) -> None:
        self.port = free_port()
        self._target: Target | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, target: Target) -> None:
        self._target = target
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def point_to(self, target: Target | None) -> None:
        """Forward new connections to `target` and cut all others, as a failover does."""
        self._target = target
        for writer in list(self._open):
            writer.transport.abort()

    async def close(self) -> None:
        self.point_to(None)
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            match self._target:
                case str(path):
                    back, forth = await asyncio.open_unix_connection(path)
                case int(port):
                    back, forth = await asyncio.open_connection("127.0.0.1", port)
                case None:
                    raise ConnectionRefusedError
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, forth}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, forth))
                group.create_task(_copy(back, writer))
        finally:
            self._open -= {writer, forth}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
