"""Attacks of hostile clients. Each function attacks a Target and counts the answers in its tally."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from PIL import Image

from inkgate.service.eop.signing import call_headers

MIB = 1 << 20
RATE = 60  # connections a second
PATH = "/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"
Attack = Callable[["Target"], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}


class Target:
    """Address, end time and a tally of the answers. `ak` is an access key that exists.

    `keys` are those of the sandbox, for attackers that are customers: SK, and APPKEY_SECOND of a paid app.
    """

    def __init__(
        self, port: int, ak: str, seconds: float, begun: Callable[[], None], keys: Mapping[str, str] | None = None
    ) -> None:
        self.port, self.ak, self.tally = port, ak, Counter[str]()
        self.keys = keys or {}
        self._seconds, self.begun, self._next = seconds, begun, 0.0
        self.begin()

    def begin(self) -> None:
        """Start the clock; attacks with preparation call this when they are prepared."""
        self.deadline = time.monotonic() + self._seconds

    @property
    def on(self) -> bool:
        return time.monotonic() < self.deadline

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; at most RATE a second."""
        self._next = max(self._next + 1 / RATE, time.monotonic())
        await asyncio.sleep(self._next - time.monotonic())
        return await self.connect()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def once(self, *parts: bytes, eof: bool = False, wait: float = 10) -> None:
        """Send, then record the first status line, or that there was none."""
        try:
            reader, writer = await self.open()
            for part in parts:
                writer.write(part)
                with suppress(ConnectionError):
                    await writer.drain()
            if eof:
                writer.write_eof()
            line = await asyncio.wait_for(reader.readline(), wait)
            self.tally[line.split(b" ")[1].decode() if line.startswith(b"HTTP/") else "closed"] += 1
            writer.close()
        except TimeoutError:
            self.tally["open, no answer"] += 1
        except (ConnectionError, OSError):
            self.tally["reset"] += 1

    async def many(self, count: int, *parts: bytes, eof: bool = False) -> None:
        """Repeat `once` in `count` tasks until the end time."""

        async def one() -> None:
            while self.on:
                await self.once(*parts, eof=eof)

        await asyncio.gather(*(one() for _ in range(count)))


def attack(name: str) -> Callable[[Attack], Attack]:
    def keep(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return keep


def post(*headers: str, body: bytes = b"") -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "host: x", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@attack("200 slow heads, a byte a tenth of a second")
async def slowloris(target: Target) -> None:
    async def one() -> None:
        _, writer = await target.open()
        writer.write(f"POST {PATH} HTTP/1.1\r\nx: ".encode())
        with suppress(ConnectionError):
            while target.on and not writer.transport.is_closing():
                writer.write(b"a")
                await asyncio.sleep(0.1)
        writer.close()

    await asyncio.gather(*(one() for _ in range(200)))
    target.tally["held open below the limit of 20 s"] += 200


@attack("100 bodies of 90 MiB announced, never sent")
async def announced(target: Target) -> None:
    head = post(f"content-length: {90 * MIB}", "eop-authorization: x headers=eop-date signature=x")
    await target.many(100, head)


@attack("bodies of 150 MiB")
async def large(target: Target) -> None:
    block = bytes(MIB)
    while target.on:
        await target.once(post(f"content-length: {150 * MIB}"), *[block] * 150, wait=30)


@attack("chunked bodies of 150 MiB")
async def chunked(target: Target) -> None:
    block = b"100000\r\n" + bytes(MIB) + b"\r\n"
    while target.on:
        await target.once(post("transfer-encoding: chunked"), *[block] * 150, b"0\r\n\r\n", wait=30)


@attack("bodies of 40 MiB under a known access key, wrongly signed")
async def forged(target: Target) -> None:
    block = bytes(MIB)
    while target.on:
        await target.once(post(f"content-length: {40 * MIB}", _claimed(target.ak)), *[block] * 40, wait=30)


@attack("100 bodies under a known access key, a byte a tenth of a second")
async def slow_bodies(target: Target) -> None:
    async def one() -> None:
        _, writer = await target.open()
        writer.write(post(f"content-length: {MIB}", _claimed(target.ak)))
        with suppress(ConnectionError):
            while target.on and not writer.transport.is_closing():
                writer.write(b"a")
                await asyncio.sleep(0.1)
        writer.close()

    await asyncio.gather(*(one() for _ in range(100)))
    target.tally["held open below the limit of 55 s"] += 100


def _claimed(ak: str) -> str:
    """A well-formed header with an invalid signature."""
    return f"eop-authorization: {ak} headers=eop-date signature={'A' * 43}="


@attack("half-closed after half a body")
async def half_closed(target: Target) -> None:
    await target.many(50, post("content-length: 1000", body=b"{"), eof=True)


@attack("disconnect as soon as the request is sent")
async def gone(target: Target) -> None:
    async def one() -> None:
        while target.on:
            _, writer = await target.open()
            writer.write(post("content-length: 2", body=b"{}"))
            writer.transport.abort()
            target.tally["disconnected"] += 1

    await asyncio.gather(*(one() for _ in range(50)))


@attack("20 requests in one write, answers never read")
async def pipelining(target: Target) -> None:
    async def one() -> None:
        while target.on:
            _, writer = await target.open()
            writer.transport.pause_reading()
            writer.write(post("content-length: 2", body=b"{}") * 20)
            await asyncio.sleep(1)
            writer.transport.abort()
            target.tally["not read"] += 1

    await asyncio.gather(*(one() for _ in range(4)))


@attack("wrong Content-Length: negative, huge, twice, too short")
async def lengths(target: Target) -> None:
    while target.on:
        for value in ("-1", "99999999999999999999999", "0x10", "5\r\ncontent-length: 6", "1e3", "5, 5"):
            await target.once(post(f"content-length: {value}", body=b"abcdef"))
        await target.once(post("content-length: 2", body=b"{}GARBAGE AFTER THE END\r\n\r\n"))


@attack("request smuggling: both lengths, unusual encodings, folded lines")
async def smuggling(target: Target) -> None:
    hidden = b"0\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    while target.on:
        await target.once(post("content-length: 5", "transfer-encoding: chunked", body=hidden))
        for encoding in ("xchunked", "chunked, identity", "identity, chunked, chunked", " chunked\r\n x: y"):
            await target.once(post(f"transfer-encoding: {encoding}", body=hidden))
        await target.once(post("transfer-encoding : chunked", body=hidden))


@attack("HTTP/1.0, HTTP/0.9, HTTP/2, TLS and random bytes")
async def versions(target: Target) -> None:
    while target.on:
        await target.once(f"POST {PATH} HTTP/1.0\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        await target.once(b"GET /\r\n\r\n")
        await target.once(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        await target.once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500))
        await target.once(os.urandom(2000) + b"\r\n\r\n")
        await target.once(post("upgrade: websocket", "connection: upgrade"))


FLOOD = "a paying app that sends 10 requests of 50 images a second"
ENGINE_MS = {FLOOD: 100.0}  # what an image takes while an attack is tried; 0 unless it is named here


@attack(FLOOD)
async def flood(target: Target) -> None:
    images = [base64.b64encode(_png()).decode()] * 50
    body = json.dumps({"data": images}).encode()
    sent: set[asyncio.Task[None]] = set()
    while target.on:
        signed = call_headers(target.ak, target.keys["SK"].encode(), target.keys["APPKEY_SECOND"], body)
        lines = [f"{name}: {value}" for name, value in signed.items()]
        request = post(f"content-length: {len(body)}", "connection: close", *lines, body=body)
        sent.add(asyncio.create_task(target.once(request, wait=70)))
        await asyncio.sleep(0.1)
    await asyncio.wait(sent, timeout=1)
    for task in sent:
        if not task.done():
            target.tally["cancelled by the client"] += 1
            task.cancel()


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 64), 255).save(out, "PNG")
    return out.getvalue()


PREPARED = "idle connections"


@attack(f"10,000 {PREPARED}")
async def idle(target: Target) -> None:
    writers = []
    for _ in range(100):
        with suppress(OSError):
            opened = await asyncio.gather(*(target.connect() for _ in range(100)), return_exceptions=True)
            writers += [stream[1] for stream in opened if isinstance(stream, tuple)]
    target.tally["opened"] = len(writers)
    target.begin()
    target.begun()
    while target.on:
        await asyncio.sleep(0.1)
    for writer in writers:
        writer.close()
