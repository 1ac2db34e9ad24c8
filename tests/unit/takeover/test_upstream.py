"""The client of the cloud against a server that answers with given bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.errors import ConfigurationError, Overloaded, UpstreamFailed, UpstreamTimedOut
from inkgate.service.settings import Takeover
from inkgate.service.takeover import upstream as module
from inkgate.service.takeover.upstream import Upstream, UpstreamRequest, answer_headers, request_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = UpstreamRequest(b"POST", b"/v1/x?b=2&a=1", [(b"Host", b"cloud.test"), (b"Content-Length", b"4")], b"body")
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """`connections` counts those accepted, `heads` are the request heads received."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)

    def client(self, **settings: object) -> Upstream:
        given = {"url": f"http://127.0.0.1:{self.port}", "connect_timeout": 2.0, "read_timeout": 2.0, **settings}
        return Upstream(Takeover.model_validate(given))


@asynccontextmanager
async def serving(script: Script | bytes) -> AsyncIterator[Server]:
    """A server that runs `script` on each connection, or answers every request with the given bytes."""
    made, tasks = Server(), set[asyncio.Task[None]]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(script, bytes)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            made.heads.append(head)
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(script)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        made.connections += 1
        try:
            await (answer(reader, writer) if isinstance(script, bytes) else script(reader, writer))
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_request_goes_out_as_it_came_and_its_connection_is_used_again() -> None:
    async with serving(OK) as server:
        client = server.client()
        for _ in range(3):
            answer = await client.send(REQUEST)
            assert (answer.status, answer.body, answer.headers) == (200, b"ok", [(b"content-length", b"2")])
        assert server.connections == 1
        assert server.heads[0] == b"POST /v1/x?b=2&a=1 HTTP/1.1\r\nHost: cloud.test\r\nContent-Length: 4\r\n\r\n"
        await client.close()


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, b""),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, b""),
    ],
)
async def test_framings_of_an_answer(sent: bytes, status: int, body: bytes) -> None:
    async with serving(sent) as server:
        client = server.client()
        for _ in range(2):
            answer = await client.send(REQUEST)
            assert (answer.status, answer.body) == (status, body)
        assert server.connections == 1
        await client.close()


async def test_an_answer_that_ends_with_its_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        await writer.drain()

    async with serving(script) as server:
        client = server.client()
        assert (await client.send(REQUEST)).body == b"until the end"
        assert (await client.send(REQUEST)).body == b"until the end"
        assert server.connections == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\x01\x02 no http\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failure(sent: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()

    async with serving(script) as server:
        with pytest.raises(UpstreamFailed):
            await server.client().send(REQUEST)
        assert server.connections == 1  # a request is never sent twice


async def test_an_answer_above_the_limit_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1)
    async with serving(OK) as server:
        with pytest.raises(UpstreamFailed):
            await server.client().send(REQUEST)


async def test_no_listener_is_a_failure() -> None:
    async with serving(OK) as server:
        client = server.client()
    with pytest.raises(UpstreamFailed, match="no connection"):
        await client.send(REQUEST)


async def test_silence_ends_in_time() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(script) as server:
        with pytest.raises(UpstreamTimedOut):
            await server.client(read_timeout=0.1).send(REQUEST)


async def test_a_drip_of_bytes_ends_in_time_as_well() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(script) as server:
        with pytest.raises(UpstreamTimedOut):
            await server.client(read_timeout=0.2).send(REQUEST)


async def test_without_a_free_connection_it_is_an_overload() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with serving(script) as server:
        client = server.client(max_connections=1, connect_timeout=0.1)
        first = asyncio.create_task(client.send(REQUEST))
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await client.send(REQUEST)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_cancelling_closes_the_connection_and_frees_its_place() -> None:
    closed = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with_end = await reader.read()
        assert with_end == b"body"
        closed.set()

    async with serving(script) as server:
        client = server.client(max_connections=1)
        task = asyncio.create_task(client.send(REQUEST))
        while not server.connections:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(closed.wait(), 5)
        assert not client._free.locked()


async def test_an_unsolicited_answer_is_never_that_of_the_next_call() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(4)
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")  # as load balancers do
        await asyncio.sleep(60)

    async with serving(script) as server:
        client = server.client()
        assert (await client.send(REQUEST)).status == 200
        await asyncio.sleep(0.2)
        assert (await client.send(REQUEST)).status == 200
        assert server.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(4)
        writer.write(OK)
        await writer.drain()

    async with serving(script) as server:
        client = server.client()
        assert (await client.send(REQUEST)).status == 200
        await asyncio.sleep(0.05)
        assert (await client.send(REQUEST)).status == 200


async def test_a_large_body_whose_answer_comes_early() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.sleep(60)

    async with serving(script) as server:
        body = bytearray(20 * 1024 * 1024)
        request = UpstreamRequest(b"POST", b"/", [(b"Host", b"x")], body)
        answer = await server.client().send(request)
        assert (answer.status, answer.body) == (413, b"no")
        body.clear()  # nothing holds the buffer any more


async def test_a_large_body_arrives_whole() -> None:
    got = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got.extend(await reader.readexactly(3_000_001))
        writer.write(OK)
        await writer.drain()

    async with serving(script) as server:
        body = bytes(range(256)) * 12_000 + b"x"
        request = UpstreamRequest(b"POST", b"/", [(b"Host", b"x")], body[:3_000_001])
        await server.client().send(request)
    assert bytes(got) == body[:3_000_001]


async def test_through_a_proxy_with_a_password() -> None:
    asked: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(1)

    async with serving(script) as server:
        proxy = f"http://user:p%40ss@127.0.0.1:{server.port}"
        client = server.client(url="http://cloud.test", proxy_url=proxy)
        assert (await client.send(REQUEST)).body == b"ok"
        await client.close()
    assert asked[0].startswith(b"CONNECT cloud.test:80 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in asked[0]  # user:p@ss


async def test_a_proxy_that_refuses_is_a_failure() -> None:
    async with serving(b"") as server:

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            await writer.drain()

        async with serving(script) as refusing:
            client = server.client(url="http://cloud.test", proxy_url=f"http://127.0.0.1:{refusing.port}")
            with pytest.raises(UpstreamFailed, match="407"):
                await client.send(REQUEST)


async def test_an_address_replaces_the_name_that_is_connected_to() -> None:
    async with serving(OK) as server:
        client = server.client(url="http://cloud.invalid", address=f"127.0.0.1:{server.port}")
        assert (await client.send(REQUEST)).status == 200
        await client.close()


def test_only_headers_of_the_connection_are_left_out() -> None:
    request = UpstreamRequest(
        b"POST",
        b"/a?b=\xe4",
        [
            (b"HOST", b"h"),
            (b"x-B", b"1"),
            (b"X-a", b"\xe4"),
            (b"x-B", b"2"),
            (b"Connection", b"keep-alive, X-Hop"),
            (b"X-Hop", b"3"),
            (b"Keep-Alive", b"5"),
            (b"TE", b"trailers"),
            (b"Expect", b"100-continue"),
            (b"tRANSFER-eNCODING", b"chunked"),
            (b"Eop-Authorization", b"z"),
        ],
        b"12345",
    )
    assert request_head(request) == (
        b"POST /a?b=\xe4 HTTP/1.1\r\nHOST: h\r\nx-B: 1\r\nX-a: \xe4\r\nx-B: 2\r\nContent-Length: 5\r\n"
        b"Eop-Authorization: z\r\n\r\n"
    )


TOKEN = st.text("abcXYZ-09", min_size=1, max_size=12).map(str.encode)
VALUE = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\x00"))


@given(st.lists(st.tuples(TOKEN.map(lambda name: b"x-" + name), VALUE), max_size=12), st.binary(max_size=50))
def test_all_other_headers_keep_order_case_and_bytes(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    head = request_head(UpstreamRequest(b"POST", b"/", headers, body))
    assert head == (
        b"POST / HTTP/1.1\r\n"
        + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
    )


def test_an_answer_with_control_characters_is_refused() -> None:
    with pytest.raises(h11.RemoteProtocolError):
        answer_headers([(b"X", b"a\x01b")], 200, 0)


def test_headers_of_the_answers_connection_are_left_out() -> None:
    raw = [
        (b"Date", b"d"),
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]
    assert answer_headers(raw, 200, 7) == [
        (b"Date", b"d"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"content-length", b"7"),
    ]


def test_an_unreadable_ca_file_is_one_plain_line(tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigurationError, match=r"INKGATE_TAKEOVER__CA_FILE: .*ca\.pem"):
            Upstream(Takeover(url="https://cloud.test", ca_file=file))
