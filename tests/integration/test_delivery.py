"""A client that resets during the answer and repeats its request is charged once, gets all of it (CONTRACT D3, D13)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from inkgate.service.gateway import tcp_acknowledgement
from inkgate.service.gateway.tcp_acknowledgement import AcknowledgementTracker, PendingAnswers
from inkgate.service.redis_batches import CommandBatches
from inkgate.service.replay import MemoryReplayStore, RedisReplayStore
from tests.event_loops import event_loop_policy  # noqa: F401 - both loops
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
        under_test = GatewayUnderTest(replays=RedisReplayStore(CommandBatches(client), uuid.uuid4().hex))
        async with served(under_test.app) as port:
            yield under_test, port


async def kept(under_test: GatewayUnderTest) -> int:
    """How many answers are kept."""
    store: Any = under_test.replays
    if isinstance(store, MemoryReplayStore):
        return len(store._kept)
    return len([key async for key in store._commands._client.scan_iter(store._prefix + "*")])


async def drops(under_test: GatewayUnderTest, seconds: float = 5) -> bool:
    """Whether all kept answers are deleted within `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while await kept(under_test):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


@pytest.mark.parametrize("part", [1000, 0.5, -1, 1.0], ids=["1000-bytes", "half", "all-but-one", "all"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_reset_during_the_answer_and_a_repeat_are_charged_once(gateway, size: str, part: float):
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
async def test_a_repeat_is_recognised_by_its_id_as_sent(gateway, request_id: str):
    """Ids that are not echoed or logged unchanged, but are valid in a signature."""
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
async def test_repeated_resets_are_charged_once(gateway, size: str):
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
    """The answer is in the kernel's buffer when the gateway has finished; with `close` the connection has, too."""
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


async def test_answers_of_ordinary_calls_are_deleted(gateway):
    """Sixty calls by six clients: at most the answers in flight are kept, and none at the end."""
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
    monkeypatch.setattr(tcp_acknowledgement, "_tcp_info", lambda _socket: 1 / 0)
    client = Client(port, buffer=0)
    for turn in range(3):
        await client.send(request(f"r-{turn}"))
        assert (await client.answer())[0] == 403
    client.close()


async def test_waiting_delays_neither_answer_nor_connection(gateway, monkeypatch):
    """The peer's acknowledgement never comes: calls go on over the same connection as if it had."""
    under_test, port = gateway
    answering(under_test, SIZES["1kB"])
    monkeypatch.setattr(tcp_acknowledgement, "_tcp_info", lambda _socket: (1, 0))
    client = Client(port, buffer=0)
    for turn in range(20):
        await client.send(request(f"r-{turn}"))
        async with asyncio.timeout(5):
            assert (await client.answer())[0] == 200
    assert await kept(under_test) == 20
    client.close()


# --- limits, and sockets without TCP_INFO


class Pipe:
    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self._sock}.get(name)


class Sock:
    """A TCP socket that has `acked` bytes acknowledged and holds `queued` more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acked, self.queued, self.state, self.closed = 0, 0, 1, False
        monkeypatch.setattr(tcp_acknowledgement, "_supports_tcp_info", lambda sock: sock is not None)
        monkeypatch.setattr(tcp_acknowledgement, "_tcp_info", lambda sock: (sock.state, sock.acked))
        monkeypatch.setattr(tcp_acknowledgement, "_unacknowledged", lambda sock: sock.queued)

    def dup(self) -> Sock:
        return self

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sock(monkeypatch: pytest.MonkeyPatch) -> Sock:
    return Sock(monkeypatch)


def connection(sock: Any, waiting: PendingAnswers | None = None) -> AcknowledgementTracker:
    return AcknowledgementTracker(asyncio.get_running_loop(), Pipe(sock), waiting or PendingAnswers())  # type: ignore[arg-type]


async def test_an_answer_without_its_last_byte_is_not_delivered(sock: Sock):
    waiting = PendingAnswers()
    acknowledgements = connection(sock, waiting)
    acknowledgements.record_written(100)
    first = acknowledgements.delivered()
    acknowledgements.record_written(100)
    second = acknowledgements.delivered()
    sock.acked = 199
    acknowledgements.poll_kernel()
    assert first.result() is True and not second.done() and waiting.answers == 1
    acknowledgements.connection_lost(orderly=False)
    assert second.result() is False and waiting.answers == 0


async def test_what_was_acknowledged_before_a_reset_counts(sock: Sock):
    acknowledgements = connection(sock)
    acknowledgements.record_written(100)
    outcome = acknowledgements.delivered()
    sock.acked, sock.state = 100, 7
    acknowledgements.connection_lost(orderly=False)
    assert outcome.result() is True
    assert (acknowledgements.delivered()).result() is False, "nothing is delivered over a lost connection"


async def test_bytes_that_never_reached_the_kernel_are_not_waited_for(sock: Sock):
    acknowledgements = connection(sock)
    acknowledgements.record_written(100)
    outcome = acknowledgements.delivered()
    sock.acked, sock.queued = 40, 50
    acknowledgements.connection_lost(orderly=True)
    assert outcome.result() is False and not sock.closed


@pytest.mark.parametrize(("acked", "state", "delivered"), [(100, 5, True), (60, 7, False)])
async def test_a_closed_connection_is_polled_until_the_outcome_is_known(
    sock: Sock, acked: int, state: int, delivered: bool
):
    waiting = PendingAnswers()
    acknowledgements = connection(sock, waiting)
    acknowledgements.record_written(100)
    outcome = acknowledgements.delivered()
    sock.acked, sock.queued = 40, 60
    acknowledgements.connection_lost(orderly=True)
    assert waiting.closing == 1 and not outcome.done()
    sock.acked, sock.state = acked, state
    assert await asyncio.wait_for(outcome, 5) is delivered
    assert waiting.closing == waiting.answers == 0 and sock.closed


@pytest.mark.parametrize("closed", [False, True])
async def test_pending_answers_time_out(sock: Sock, monkeypatch: pytest.MonkeyPatch, closed: bool):
    monkeypatch.setattr(tcp_acknowledgement, "LINGER_SECONDS" if closed else "WAIT_SECONDS", 0.05)
    acknowledgements = connection(sock)
    acknowledgements.record_written(100)
    outcome = acknowledgements.delivered()
    sock.queued = 100
    if closed:
        acknowledgements.connection_lost(orderly=True)
    assert await asyncio.wait_for(outcome, 5) is False


async def test_the_number_of_pending_answers_is_limited(sock: Sock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tcp_acknowledgement, "MAX_PENDING_ANSWERS", 3)
    monkeypatch.setattr(tcp_acknowledgement, "MAX_LINGERING_SOCKETS", 0)
    acknowledgements = connection(sock)
    acknowledgements.record_written(100)
    outcomes = [acknowledgements.delivered() for _ in range(5)]
    assert [each.done() for each in outcomes] == [False] * 3 + [True] * 2
    other = connection(sock, acknowledgements._pending)
    assert other.delivered().result() is True, "acknowledged already: not pending"
    sock.queued = 100
    acknowledgements.connection_lost(orderly=True)
    assert [each.result() for each in outcomes] == [False] * 5


async def test_without_tcp_info_an_answer_counts_as_not_delivered():
    acknowledgements = connection(None)
    acknowledgements.record_written(1)
    assert acknowledgements.delivered().result() is False
