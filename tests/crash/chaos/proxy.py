"""A plain proxy before the gateways that remembers whose answers have reached it."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import re
import termios
from collections import Counter

from tests.valkey import free_port

_REQUEST_ID = re.compile(rb"\r\nctyun-eop-request-id: *([^\r]+)\r\n", re.IGNORECASE)


class Proxy:
    """Round robin over backends by connection; a backend that refuses is passed over. No retries, no checks.

    `answers` counts the answers with status 200 that reached this side, by request id. An answer that has was
    delivered as far as any gateway can know, whether or not the client behind us still got it.
    """

    def __init__(self, backends: list[int]) -> None:
        self._backends, self._turn = backends, 0
        self._unanswered: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}  # gateway's side -> client's side
        self.answers: Counter[str] = Counter()
        self.port = free_port()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for forth, writer in self._unanswered.items():
            forth.transport.abort()
            writer.transport.abort()

    def cut(self) -> None:
        """Break the client's side of every connection on which no byte of the answer has come yet.

        The gateway's side ends with it (see `_copy`), and is read to its end: what was under way counts as an answer.
        """
        for forth, writer in self._unanswered.items():
            if not _arrived(forth):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect()
        if upstream is None:
            writer.transport.abort()
            return
        back, forth = upstream
        self._unanswered[forth] = writer
        try:
            head = await reader.read(65536)
            found = _REQUEST_ID.search(head)
            forth.write(head)
            request_id = found[1].decode() if found else ""
            await asyncio.gather(self._copy(reader, forth), self._answer(back, forth, writer, request_id))
        finally:
            self._unanswered.pop(forth, None)
            forth.transport.abort()
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self._backends:
            self._turn += 1
            port = self._backends[self._turn % len(self._backends)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _answer(
        self, back: asyncio.StreamReader, forth: asyncio.StreamWriter, writer: asyncio.StreamWriter, request_id: str
    ) -> None:
        with contextlib.suppress(OSError):
            first = await back.read(65536)
            self._unanswered.pop(forth, None)
            if first.startswith(b"HTTP/1.1 200"):
                self.answers[request_id] += 1
            writer.write(first)
        await self._copy(back, writer)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.write_eof()


def _arrived(writer: asyncio.StreamWriter) -> bool:
    """Whether bytes wait in the kernel to be read on this connection."""
    waiting = array.array("i", [0])
    fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.FIONREAD, waiting)
    return waiting[0] > 0
