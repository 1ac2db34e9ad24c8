"""Bodies that stall or trickle, over real sockets: the contract's answer, nothing charged, no bytes reserved."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.gateway import exchange
from inkgate.service.gateway.descriptors import MAX_CONNECTIONS
from inkgate.service.gateway.protocol import LimitedHttpProtocol, limited_protocol
from inkgate.service.settings import Limits, Server, Settings
from tests.event_loops import event_loop_policy  # noqa: F401 - both loops
from tests.gateway import GatewayUnderTest, body_of, signed_headers

SECONDS = 0.5  # that a body may take here
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(gateway: GatewayUnderTest) -> AsyncIterator[int]:
    """The port of a gateway on a real socket."""
    config = uvicorn.Config(
        gateway.app,
        port=0,
        http=limited_protocol(MAX_CONNECTIONS, LimitedHttpProtocol),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=2,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture
async def gateway(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[GatewayUnderTest, int]]:
    monkeypatch.setattr(exchange, "_DRAIN_SECONDS", SECONDS)
    made = GatewayUnderTest(Settings(limits=Limits(body_timeout=SECONDS)))
    async with serving(made) as port:
        yield made, port


def head(raw: bytes, *more: str, length: int | None = None) -> bytes:
    """The head of a signed call."""
    lines = [f"{name}: {value}" for name, value in signed_headers(raw, request_id="slow-1").items()]
    size = [f"content-length: {len(raw) if length is None else length}"] if length != -1 else []
    return "\r\n".join([f"POST {GENERAL.paths[0]} HTTP/1.1", "host: x", *lines, *size, *more, "", ""]).encode()


async def answered(stream: Stream) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and JSON of the first answer."""
    async with asyncio.timeout(20):
        first, *lines = (await stream[0].readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await stream[0].readexactly(int(headers["content-length"]))
    return int(first.split(" ")[1]), headers, json.loads(body)


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        if writer.transport.is_closing():
            return
        writer.write(data[at : at + 1])
        await asyncio.sleep(SECONDS / 20)


async def judged(made: GatewayUnderTest, stream: Stream) -> None:
    status, headers, body = await answered(stream)
    assert status == 408 and headers["connection"] == "close"
    assert body["statusCode"] == 40800 and body["code"] == body["error"] == "40800"
    assert body["requestId"] == "slow-1" and body["returnObj"] == {} and body["message"] == body["details"] != ""
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):  # a byte that the client sends after the close is answered by a reset
            assert await stream[0].read() == b"", "the connection is closed after the answer"
    assert not made.ledger.settled
    exposed = made.metrics.render("")[0].decode()
    assert 'inkgate_requests_total{capability="none",code="40800",outcome="slow_body"} 1.0' in exposed
    assert 'inkgate_rejected_total{reason="40800"} 1.0' in exposed
    assert "cancelled" not in exposed


RAW = json.dumps(body_of(GENERAL, "QUJD" * 40_000)).encode()


async def test_a_stalled_body_gets_408(gateway: tuple[GatewayUnderTest, int]):
    made, port = gateway
    stream = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    stream[1].write(head(RAW) + RAW[:100_000])
    await judged(made, stream)
    assert time.monotonic() - began > SECONDS


async def test_a_trickling_body_gets_408(gateway: tuple[GatewayUnderTest, int]):
    made, port = gateway
    stream = await asyncio.open_connection("127.0.0.1", port)
    stream[1].write(head(RAW))
    sending = asyncio.create_task(trickle(stream[1], RAW))
    await judged(made, stream)
    sending.cancel()


async def test_an_endless_chunked_body_gets_408(gateway: tuple[GatewayUnderTest, int]):
    made, port = gateway
    stream = await asyncio.open_connection("127.0.0.1", port)
    stream[1].write(head(RAW, "transfer-encoding: chunked", length=-1))
    sending = asyncio.create_task(trickle(stream[1], b"1\r\n{\r\n" * 1000))
    await judged(made, stream)
    sending.cancel()


async def test_a_slow_small_body_of_an_unknown_client_gets_408(gateway: tuple[GatewayUnderTest, int]):
    made, port = gateway
    stream = await asyncio.open_connection("127.0.0.1", port)
    lines = ("POST /v1/aiop/api/x HTTP/1.1", "host: x", "ctyun-eop-request-id: slow-1", "content-length: 9", "", "{")
    stream[1].write("\r\n".join(lines).encode())
    await judged(made, stream)


async def test_reserved_bytes_are_released_with_the_answer(gateway: tuple[GatewayUnderTest, int]):
    """Not only when the rest has been drained, which takes as long as the client likes, up to a limit."""
    made, port = gateway
    stream = await asyncio.open_connection("127.0.0.1", port)
    stream[1].write(head(RAW) + RAW[:100_000])
    await answered(stream)
    budget = made.app.routes[0].app._pipeline.bytes_in_flight
    assert budget.used == 0
    stream[1].close()


async def test_a_slow_body_above_the_limit_gets_413(monkeypatch: pytest.MonkeyPatch):
    """A body above the limit is refused for its size, however slowly the rest arrives."""
    monkeypatch.setattr(exchange, "_DRAIN_SECONDS", 4 * SECONDS)
    made = GatewayUnderTest(Settings(limits=Limits(body_timeout=SECONDS, body_bytes=1000)))
    async with serving(made) as port:
        stream = await asyncio.open_connection("127.0.0.1", port)
        stream[1].write(head(RAW, "transfer-encoding: chunked", length=-1) + b"800\r\n" + bytes(0x800) + b"\r\n")
        async with asyncio.timeout(20):
            assert b" 413 " in await stream[0].readline()
        stream[1].close()


async def test_always_200_keeps_the_status_code_in_the_body():
    settings = Settings(limits=Limits(body_timeout=SECONDS), server=Server(always_200=True))
    async with serving(GatewayUnderTest(settings)) as port:
        stream = await asyncio.open_connection("127.0.0.1", port)
        stream[1].write(head(RAW) + RAW[:100])
        status, _, body = await answered(stream)
        assert (status, body["statusCode"]) == (200, 40800)
        stream[1].close()
