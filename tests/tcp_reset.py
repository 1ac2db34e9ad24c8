"""A client that reads part of an answer and resets its connection, and a gateway with large answers."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import json
import socket
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inkgate.service.broker.interface import Reply, Task
from inkgate.service.contract.capabilities import CAPABILITIES
from tests.gateway import PNG, GatewayUnderTest, body_of, signed_headers
from tests.http_server import head

GENERAL = CAPABILITIES["general"]
IMAGES = 20
UNITS = IMAGES
BODY = json.dumps(body_of(GENERAL, *[PNG] * IMAGES)).encode()
_BUFFER = 4096  # bytes that the client's kernel takes ahead of its reader, or somewhat more
_HEAD_MOST = 1000


def answering(under_test: GatewayUnderTest, size: int) -> None:
    """Let every answer of this gateway be about `size` bytes long."""
    submit = under_test.broker.submit
    text = "字" * max(1, (size - 800) // IMAGES // 6 - 40)  # three bytes each, twice in an answer

    async def large(tasks: Sequence[Task]) -> list[Reply]:
        element = {"text_line": 1, "detail": [{"name": "0", "text": text}]}
        return [replace(reply, element=element) for reply in await submit(tasks)]

    under_test.broker.submit = large  # type: ignore[method-assign]


def request(request_id: str, *more: tuple[str, str]) -> bytes:
    """The signed request; sent again it is the very same."""
    signed = signed_headers(BODY, request_id=request_id)
    headers = [("Host", "g"), ("Content-Length", str(len(BODY))), *signed.items(), *more]
    return head("POST", GENERAL.paths[0], headers) + BODY


@dataclass(slots=True)
class Taken:
    """What a client had when it reset: the answer's bytes read, those in its kernel as well, and the whole length (0
    when not even the head had come)."""

    read: int
    acknowledged: int
    whole: int


class Client:
    """One connection with a small receive buffer."""

    def __init__(self, port: int, buffer: int = _BUFFER) -> None:
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.setblocking(False)
        self._port, self._loop = port, asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # connected already
            await self._loop.sock_connect(self.socket, ("127.0.0.1", self._port))
        await self._loop.sock_sendall(self.socket, data)

    async def take(self, part: float | int) -> Taken:
        """Read so many bytes of the answer (an int; negative ones from its end), or so large a part of it."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += await self._some(1)
        whole = len(got) + int(got.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        wanted = round(part * whole) if isinstance(part, float) else part if part >= 0 else whole + part
        read = len(got)
        while read < wanted:
            read += len(await self._some(min(wanted - read, 1 << 20)))
        return Taken(read, read + await self._settled(), whole)

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of a whole answer."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += await self._some(65536)
        top, _, body = got.partition(b"\r\n\r\n")
        length = int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        pieces, have = [body], len(body)
        while have < length:
            pieces.append(await self._some(1 << 20))
            have += len(pieces[-1])
        return int(top.split(b" ")[1]), b"".join(pieces)

    def reset(self) -> None:
        """Close with RST; what the kernel still holds is thrown away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    async def _some(self, most: int) -> bytes:
        async with asyncio.timeout(60):
            got = await self._loop.sock_recv(self.socket, most)
        if not got:
            raise ConnectionError("closed in the middle of an answer")
        return got

    async def _settled(self) -> int:
        """Bytes in our kernel, once no more come: acknowledged, and not read."""
        before, waiting = -1, array.array("i", [0])
        while before != waiting[0]:
            before = waiting[0]
            await asyncio.sleep(0.3)
            fcntl.ioctl(self.socket, termios.FIONREAD, waiting)
        return waiting[0]


async def repeat(port: int, data: bytes) -> bytes:
    """The very same request over a connection of its own; the body of its answer."""
    client = Client(port, buffer=0)
    try:
        await client.send(data)
        status, body = await client.answer()
        assert status == 200 and json.loads(body)["message"] == {"success": IMAGES, "fail": 0}
        return body
    finally:
        client.close()
