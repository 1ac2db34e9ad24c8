"""A client that resets in mid-answer and repeats its request is charged once, and gets it whole (CONTRACT D3, D13)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from inkgate.service.gateway import delivery
from inkgate.service.gateway.delivery import Acknowledgements, Waiting
from inkgate.service.replay import MemoryReplayStore, RedisReplayStore
from tests.gateway import GatewayUnderTest
from tests.http_server import served
from tests.tcp_reset import UNITS, Client, answering, repeat, request

SIZES = {"1kB": 1_000, "300kB": 300_000, "8MB": 8_600_000}


@pytest.fixture(params=["embedded", "redis"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[tuple[GatewayUnderTest, int]]:
    if request.param == "embedded":
        under_test = GatewayUnderTest(replays=MemoryReplayStore())
        async with served(under_test.app) as port:
            yield under_test, port
        return
    async with Redis.from_url(request.getfixturevalue("valkey_server")) as client:
        under_test = GatewayUnderTest(replays=RedisReplayStore(client, uuid.uuid4().hex))
        async with served(under_test.app) as port:
            yield under_test, port


async def kept(under_test: GatewayUnderTest) -> int:
    """How many answers are kept."""
    store: Any = under_test.replays
    if isinstance(store, MemoryReplayStore):
        return len(store._kept)
    return len([key async for key in store._client.scan_iter(store._prefix + "*")])


async def drops(under_test: GatewayUnderTest, seconds: float = 5) -> bool:
    """Whether everything kept is dropped before long."""
    until = asyncio.get_running_loop().time() + seconds
    while await kept(under_test):
        if asyncio.get_running_loop().time() > until:
            return False
        await asyncio.sleep(0.005)
    return True


@pytest.mark.parametrize("part", [1000, 0.5, -1, 1.0], ids=["1000-bytes", "half", "all-but-one", "all"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_reset_in_mid_answer_and_a_repeat_cost_one_call(gateway, size: str, part: float):
    under_test, port = gateway
    answering(under_test, SIZES[size])
    data = request("r-1")
    client = Client(port)
    await client.send(data)
    taken = await client.take(part)
    client.reset()
    assert under_test.ledger.units == UNITS
    if taken.acknowledged == taken.whole:
        assert await drops(under_test), "our kernel had acknowledged all of it"
        await repeat(port, data)
        assert under_test.ledger.units == 2 * UNITS, "a delivered answer is not replayed"
        return
    assert part != 1.0 and size != "1kB"
    body = await repeat(port, data)
    assert len(body) > SIZES[size] * 0.8
    assert under_test.ledger.units == UNITS, "one answer, one charge"
    assert len(under_test.broker.tasks) == UNITS
    assert await drops(under_test), "the repeat was delivered"


@pytest.mark.parametrize("request_id", ["a b", "\u00e9".encode().decode("latin-1"), "x" * 130])
async def test_a_request_id_that_is_not_echoed_still_identifies_the_request(gateway, request_id: str):
    """Request ids that are neither echoed nor logged unchanged, although a signature may contain them."""
    under_test, port = gateway
    answering(under_test, SIZES["300kB"])
    data = request(request_id)
    client = Client(port)
    await client.send(data)
    await client.take(1000)
    client.reset()
    await repeat(port, data)
    assert under_test.ledger.units == UNITS


@pytest.mark.parametrize("size", SIZES)
async def test_resets_again_and_again_cost_one_call(gateway, size: str):
    under_test, port = gateway
    answering(under_test, SIZES[size])
    data, settle = request("r-1"), under_test.ledger.settle
    for _ in range(3):
        client = Client(port)

        async def reset_before_any_byte(settlement, client=client):
            await settle(settlement)
            client.reset()

        under_test.ledger.settle = reset_before_any_byte
        await client.send(data)
        while client.socket.fileno() >= 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert await kept(under_test) == 1
    under_test.ledger.settle = settle
    assert len(await repeat(port, data)) > SIZES[size] * 0.8
    assert under_test.ledger.units == UNITS
    assert await drops(under_test)


@pytest.mark.parametrize("more", [(), (("Connection", "close"),)], ids=["keep-alive", "close"])
async def test_a_client_slower_than_the_gateway_is_waited_for(gateway, more):
    """The answer lies in the kernel when the gateway is done with it, and with `close` so is the connection."""
    under_test, port = gateway
    answering(under_test, SIZES["300kB"])
    data = request("r-1", *more)
    client = Client(port)
    await client.send(data)
    taken = await client.take(0.5)
    assert taken.acknowledged < taken.whole and await kept(under_test) == 1
    while taken.read < taken.whole:
        taken.read += len(await client._some(65536))
    assert await drops(under_test), "acknowledged to the last byte"
    if more:
        assert await asyncio.get_running_loop().sock_recv(client.socket, 1) == b"", "and the connection was closed"
    client.close()


async def test_a_reset_after_the_gateway_has_closed_is_seen(gateway):
    under_test, port = gateway
    answering(under_test, SIZES["300kB"])
    data = request("r-1", ("Connection", "close"))
    client = Client(port)
    await client.send(data)
    taken = await client.take(1000)
    assert taken.acknowledged < taken.whole
    client.reset()
    await repeat(port, data)
    assert under_test.ledger.units == UNITS


async def test_nothing_stays_kept_of_ordinary_calls(gateway):
    """Sixty calls by six clients: at most the answers on their way are kept, and none at the end."""
    under_test, port = gateway
    answering(under_test, SIZES["1kB"])
    most = 0

    async def caller(number: int) -> None:
        client = Client(port, buffer=0)
        for turn in range(10):
            await client.send(request(f"r-{number}-{turn}"))
            await client.answer()
        client.close()

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, await kept(under_test))
            await asyncio.sleep(0.002)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(caller(number) for number in range(6)))
    watching.cancel()
    assert await drops(under_test, 1)
    assert most <= 12, f"{most} kept with six callers"
    assert under_test.ledger.units == 60 * UNITS


async def test_refusals_are_not_waited_for(gateway, monkeypatch):
    under_test, port = gateway
    under_test.ledger.refuse = 51002
    monkeypatch.setattr(delivery, "_ask", lambda _socket: 1 / 0)
    client = Client(port, buffer=0)
    for turn in range(3):
        await client.send(request(f"r-{turn}"))
        assert (await client.answer())[0] == 403
    client.close()


async def test_waiting_delays_neither_answer_nor_connection(gateway, monkeypatch):
    """The peer's acknowledgement never comes: calls go on over the same connection as if it had."""
    under_test, port = gateway
    answering(under_test, SIZES["1kB"])
    monkeypatch.setattr(delivery, "_ask", lambda _socket: (1, 0))
    client = Client(port, buffer=0)
    for turn in range(20):
        await client.send(request(f"r-{turn}"))
        async with asyncio.timeout(5):
            assert (await client.answer())[0] == 200
    assert await kept(under_test) == 20
    client.close()


# --- the bounds, and what the kernel cannot tell


class Pipe:
    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self._sock}.get(name)


class Sock:
    """A TCP socket that has `acked` bytes acknowledged and holds `queued` more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acked, self.queued, self.state, self.closed = 0, 0, 1, False
        monkeypatch.setattr(delivery, "_tells", lambda sock: sock is not None)
        monkeypatch.setattr(delivery, "_ask", lambda sock: (sock.state, sock.acked))
        monkeypatch.setattr(delivery, "_unacknowledged", lambda sock: sock.queued)

    def dup(self) -> Sock:
        return self

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sock(monkeypatch: pytest.MonkeyPatch) -> Sock:
    return Sock(monkeypatch)


def connection(sock: Any, waiting: Waiting | None = None) -> Acknowledgements:
    return Acknowledgements(asyncio.get_running_loop(), Pipe(sock), waiting or Waiting())  # type: ignore[arg-type]


async def test_all_but_the_last_byte_is_not_all(sock: Sock):
    waiting = Waiting()
    acknowledgements = connection(sock, waiting)
    acknowledgements.handed(100)
    first = acknowledgements.delivered()
    acknowledgements.handed(100)
    second = acknowledgements.delivered()
    sock.acked = 199
    acknowledgements.look()
    assert first.result() is True and not second.done() and waiting.answers == 1
    acknowledgements.lost(orderly=False)
    assert second.result() is False and waiting.answers == 0


async def test_what_was_acknowledged_before_a_reset_counts(sock: Sock):
    acknowledgements = connection(sock)
    acknowledgements.handed(100)
    verdict = acknowledgements.delivered()
    sock.acked, sock.state = 100, 7
    acknowledgements.lost(orderly=False)
    assert verdict.result() is True
    assert (acknowledgements.delivered()).result() is False, "nothing is delivered over a lost connection"


async def test_bytes_that_never_reached_the_kernel_are_not_waited_for(sock: Sock):
    acknowledgements = connection(sock)
    acknowledgements.handed(100)
    verdict = acknowledgements.delivered()
    sock.acked, sock.queued = 40, 50
    acknowledgements.lost(orderly=True)
    assert verdict.result() is False and not sock.closed


@pytest.mark.parametrize(("acked", "state", "delivered"), [(100, 5, True), (60, 7, False)])
async def test_a_closed_connection_is_watched_to_its_end(sock: Sock, acked: int, state: int, delivered: bool):
    waiting = Waiting()
    acknowledgements = connection(sock, waiting)
    acknowledgements.handed(100)
    verdict = acknowledgements.delivered()
    sock.acked, sock.queued = 40, 60
    acknowledgements.lost(orderly=True)
    assert waiting.closing == 1 and not verdict.done()
    sock.acked, sock.state = acked, state
    assert await asyncio.wait_for(verdict, 5) is delivered
    assert waiting.closing == waiting.answers == 0 and sock.closed


@pytest.mark.parametrize("closed", [False, True])
async def test_waiting_ends(sock: Sock, monkeypatch: pytest.MonkeyPatch, closed: bool):
    monkeypatch.setattr(delivery, "CLOSED_SECONDS" if closed else "WAIT_SECONDS", 0.05)
    acknowledgements = connection(sock)
    acknowledgements.handed(100)
    verdict = acknowledgements.delivered()
    sock.queued = 100
    if closed:
        acknowledgements.lost(orderly=True)
    assert await asyncio.wait_for(verdict, 5) is False


async def test_so_many_and_no_more_are_waited_for(sock: Sock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delivery, "MOST_ANSWERS", 3)
    monkeypatch.setattr(delivery, "MOST_CLOSING", 0)
    acknowledgements = connection(sock)
    acknowledgements.handed(100)
    verdicts = [acknowledgements.delivered() for _ in range(5)]
    assert [each.done() for each in verdicts] == [False] * 3 + [True] * 2
    other = connection(sock, acknowledgements._waiting)
    assert other.delivered().result() is True, "already acknowledged bytes count at once"
    sock.queued = 100
    acknowledgements.lost(orderly=True)
    assert [each.result() for each in verdicts] == [False] * 5


async def test_without_acknowledgement_support_nothing_counts_as_delivered():
    acknowledgements = connection(None)
    acknowledgements.handed(1)
    assert acknowledgements.delivered().result() is False
