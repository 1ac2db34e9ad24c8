"""Limits of one connection, over real sockets, with short time-outs."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from inkgate.service.composition.web import listen
from inkgate.service.gateway import protocol
from inkgate.service.gateway.descriptors import MAX_CONNECTIONS
from inkgate.service.gateway.protocol import LimitedHttpProtocol, limited_protocol
from tests.event_loops import event_loop_policy  # noqa: F401 - both loops

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SHORT = 0.3
ANSWER = 1 << 20  # bytes; more than a socket's buffers take


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """/read and /pieces read the body first, and /pieces says how long the longest piece was; /big answers with a
    megabyte or more; everything else answers at once."""
    longest = 0
    if scope["path"] in ("/read", "/pieces"):
        more = True
        while more:
            message = await receive()
            more, longest = message.get("more_body", False), max(longest, len(message["body"]))
    body = bytes(24 * ANSWER if scope["path"] == "/big" else 2)
    if scope["path"] == "/pieces":
        body = b"%08d" % longest
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[uvicorn.Server]:
    for name in ("HEAD_SECONDS", "STALL_SECONDS", "DRAIN_SECONDS"):
        monkeypatch.setattr(protocol, name, SHORT)
    limited = limited_protocol(getattr(request, "param", MAX_CONNECTIONS), LimitedHttpProtocol)
    config = uvicorn.Config(
        application,
        port=0,
        http=limited,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=2,
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    yield running
    running.should_exit = running.force_exit = True
    await task


async def connect(server: uvicorn.Server) -> Stream:
    port = server.servers[0].sockets[0].getsockname()[1]
    return await asyncio.open_connection("127.0.0.1", port)


async def said(stream: Stream, seconds: float = 5) -> bytes:
    """All bytes until the server closes the connection. Raises TimeoutError when it does not."""
    async with asyncio.timeout(seconds):
        return await stream[0].read()


async def status(stream: Stream) -> bytes:
    head = await stream[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await stream[0].readexactly(length)
    return head.split(b" ")[1]


async def test_silent_connection_is_closed(server: uvicorn.Server):
    assert await said(await connect(server)) == b""


async def test_slow_head_is_answered_and_closed(server: uvicorn.Server):
    stream = await connect(server)
    began = time.monotonic()

    async def trickle() -> None:
        stream[1].write(b"GET / HTTP/1.1\r\nx: ")
        while not stream[1].is_closing():
            stream[1].write(b"y")
            await asyncio.sleep(0.05)

    feeding = asyncio.create_task(trickle())
    assert b" 408 " in await said(stream)
    assert time.monotonic() - began < 10 * SHORT
    feeding.cancel()


async def test_slow_second_head_is_answered_and_closed(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert await status(stream) == b"200"
    stream[1].write(b"\r\n")  # tolerated between requests; must not switch the clock off
    assert b" 408 " in await said(stream)


@pytest.mark.parametrize("head", [b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000])
async def test_endless_head_is_refused(server: uvicorn.Server, head: bytes):
    stream = await connect(server)
    stream[1].write(head)
    assert b" 431 " in await said(stream)


async def test_large_body_does_not_count_as_head(server: uvicorn.Server):
    stream = await connect(server)
    for _ in range(2):
        stream[1].write(b"POST /read HTTP/1.1\r\ncontent-length: 200000\r\n\r\n" + bytes(200_000))
        assert await status(stream) == b"200"


async def test_keep_alive_and_pipelining_work(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].write(b"GET / HTTP/1.1\r\n\r\n" * 5)
    assert [await status(stream) for _ in range(5)] == [b"200"] * 5
    await asyncio.sleep(2 * SHORT)  # idle between requests is the keep-alive's business
    stream[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert await status(stream) == b"200"


async def test_answers_are_sent_without_delay():
    """An answer is written in two pieces; with Nagle's algorithm the second waits 40 ms for an acknowledgement."""
    listener = listen("127.0.0.1", 0)
    accepted: list[asyncio.StreamWriter] = []
    running = await asyncio.start_server(lambda _, writer: accepted.append(writer), sock=listener)
    async with running:
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        while not accepted:
            await asyncio.sleep(0.01)
        assert accepted[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted[0].close()
        writer.close()


async def test_client_that_does_not_read_is_disconnected(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].transport.pause_reading()
    stream[1].write(b"GET /big HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(10):
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        while server.server_state.connections:
            await asyncio.sleep(0.05)


async def test_client_that_reads_slowly_gets_everything(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].write(b"GET /big HTTP/1.1\r\nconnection: close\r\n\r\n")
    total = 0
    while block := await stream[0].read(4 * ANSWER):
        total += len(block)
        await asyncio.sleep(0.02)
    assert total > 24 * ANSWER


async def test_unauthenticated_body_may_not_trickle(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].write(b"POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\nx")
    assert await status(stream) == b"200"
    assert await said(stream) == b""


async def test_unauthenticated_body_is_rate_limited(server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "DRAIN_SECONDS", 10.0)
    monkeypatch.setattr(protocol, "REMAINDER_BYTES_PER_SECOND", 4 << 20)
    stream = await connect(server)
    stream[1].write(b"POST / HTTP/1.1\r\ncontent-length: 2097152\r\n\r\nx")
    assert await status(stream) == b"200"
    began = time.monotonic()
    stream[1].write(bytes((2 << 20) - 1) + b"GET / HTTP/1.1\r\n\r\n")
    assert await status(stream) == b"200"
    assert time.monotonic() - began > 0.4  # half a second by the rate, less its last piece


async def test_body_is_read_in_chunks_of_bounded_size(server: uvicorn.Server):
    stream = await connect(server)
    stream[1].write(b"POST /pieces HTTP/1.1\r\ncontent-length: 2097152\r\n\r\n" + bytes(2 << 20))
    await stream[0].readuntil(b"\r\n\r\n")
    assert 0 < int(await stream[0].readexactly(8)) <= 2 * protocol.READ_CHUNK_BYTES


@pytest.mark.parametrize(
    "shape",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"content-length: +5\r\n\r\nabcde",
        b"content-length: 5, 5\r\n\r\nabcde",
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n5;a\nabcde\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
        b"x: a\r\n folded\r\n\r\n",
        b"x: a\x00b\r\n\r\n",
    ],
)
async def test_request_smuggling_is_refused_and_closed(server: uvicorn.Server, shape: bytes):
    """A request whose end is ambiguous is answered 400 and the connection is closed (RFC 9112, section 6.3)."""
    stream = await connect(server)
    stream[1].write(b"POST /read HTTP/1.1\r\nhost: a\r\n" + shape)
    answers = await said(stream)
    assert b" 400 " in answers.split(b"\r\n")[0] or (b" 400 " in answers and answers.count(b"HTTP/1.1") <= 2)
    assert b"GET /x" not in answers and not answers.endswith(b"ok")
    assert answers.count(b" 200 ") == 0


@pytest.mark.parametrize("server", [2], indirect=True)
async def test_connections_are_counted(server: uvicorn.Server):
    first, second = await connect(server), await connect(server)
    await asyncio.sleep(0.05)
    third = await connect(server)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        third[1].write(b"GET / HTTP/1.1\r\n\r\n")
        await status(third)
    for stream in (first, second):
        stream[1].write(b"GET / HTTP/1.1\r\n\r\n")
        assert await status(stream) == b"200"
