"""Bodies of unauthenticated clients: announced bytes reserve nothing, and large ones are not read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from inkgate.service.errors import BodyTooSlow, Overloaded
from inkgate.service.gateway import memory, pipeline
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.exchange import SMALL_BODY_BYTES, Answer, Exchange
from inkgate.service.gateway.memory import LARGE_BODY_BYTES
from tests.gateway import GatewayUnderTest

MIB = 1 << 20


def exchange(messages: list[dict[str, Any]], **headers: str) -> Exchange:
    """An exchange whose client sends `messages` and then nothing more."""

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError("nothing is answered here")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": "POST", "path": "/", "query_string": b"", "headers": raw}
    return Exchange(scope, receive, send)


async def test_an_announced_body_reserves_only_received_bytes():
    budget = Budget(100 * MIB, "body bytes")
    arrived = {"type": "http.request", "body": bytes(1000), "more_body": True}
    silent = exchange([arrived], content_length=str(90 * MIB))
    reading = asyncio.create_task(silent.read_body(100 * MIB, 5, budget))
    await asyncio.sleep(0.05)
    assert budget.used == 1000
    other = exchange([{"type": "http.request", "body": bytes(50 * MIB)}], content_length=str(50 * MIB))
    await other.read_body(100 * MIB, 5, budget)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    silent.release()
    other.release()
    assert budget.used == 0


async def test_a_body_above_the_budget_is_refused_before_it_is_sent():
    budget = Budget(10 * MIB, "body bytes")
    with pytest.raises(Overloaded):
        await exchange([], content_length=str(11 * MIB)).read_body(100 * MIB, 5, budget)
    assert budget.used == 0


async def test_a_chunked_body_stops_where_the_budget_ends():
    budget = Budget(10 * MIB, "body bytes")
    chunks = [{"type": "http.request", "body": bytes(MIB), "more_body": True} for _ in range(20)]
    greedy = exchange(chunks, transfer_encoding="chunked")
    with pytest.raises(Overloaded):
        await greedy.read_body(100 * MIB, 5, budget)
    assert budget.used == 0 and not greedy.body  # at once: another that comes at the same time may need it


async def test_the_event_loop_runs_other_tasks_between_chunks_of_a_large_body():
    pieces = [{"type": "http.request", "body": bytes(MIB), "more_body": True} for _ in range(10)]
    large = exchange([*pieces, {"type": "http.request", "body": b""}], transfer_encoding="chunked")
    reading = asyncio.create_task(large.read_body(100 * MIB, 5, Budget(100 * MIB, "body bytes")))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    await reading
    assert turns > 10 * 3


async def test_a_refusal_during_a_body_is_sent_completely_and_the_rest_is_drained():
    """Closing a socket with unread bytes resets the connection, which may lose the answer."""
    events: list[str] = []
    pieces = [{"type": "http.request", "body": bytes(MIB), "more_body": number < 7} for number in range(8)]

    async def receive() -> dict[str, Any]:
        events.append("piece")
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        events.append(f"{message['type'].removeprefix('http.response.')} {message.get('more_body', False)}")

    scope = {"method": "POST", "path": "/", "query_string": b"", "headers": [(b"content-length", b"8388608")]}
    refused, other = Exchange(scope, receive, send), Budget(9 * MIB, "body bytes")
    reading = asyncio.create_task(refused.read_body(100 * MIB, 5, other))
    while "piece" not in events:
        await asyncio.sleep(0)
    other.acquire(6 * MIB)  # the body of another call arrived in between
    with pytest.raises(Overloaded):
        await reading
    assert other.used == 6 * MIB
    assert await refused.send(Answer(503, b"{}"))
    at = events.index("start False")
    assert 0 < events[:at].count("piece") < 8
    assert events[at:] == ["start False", "body True", *["piece"] * len(events[at + 2 : -1]), "body False"]
    assert not pieces


async def test_a_trickling_body_times_out():
    with pytest.raises(BodyTooSlow):
        await exchange([], content_length="10").read_body(100, 0.05, Budget(100, "body bytes"))


@pytest.mark.parametrize(
    ("headers", "large"),
    [
        ({"content_length": str(SMALL_BODY_BYTES)}, False),
        ({"content_length": str(SMALL_BODY_BYTES + 1)}, True),
        ({"transfer_encoding": "chunked"}, True),
        ({}, False),
        ({"content_length": "many"}, False),
    ],
)
def test_which_bodies_need_a_known_caller(headers: dict[str, str], large: bool):
    assert exchange([], **headers).large_body is large


async def test_memory_is_released_after_a_large_body_when_idle(monkeypatch: pytest.MonkeyPatch):
    returned: list[int] = []
    monkeypatch.setattr(pipeline, "trim_heap", lambda: returned.append(1))
    gateway = GatewayUnderTest()
    working: pipeline.Pipeline = gateway.app.routes[0].app._pipeline  # type: ignore[attr-defined]
    for size, others, expected in ((LARGE_BODY_BYTES - 1, 0, 0), (LARGE_BODY_BYTES, 1, 0), (LARGE_BODY_BYTES, 0, 1)):
        with working.bytes_in_flight.reserve(others):
            working.release_memory(size)
        working._services.pool.submit(int).result()
        assert len(returned) == expected
    working._services.pool.shutdown()
    working.release_memory(size)  # a gateway that is ending


def test_malloc_limits_arenas_and_trims_memory():
    assert memory.limit_malloc_arenas()
    memory.trim_heap()
