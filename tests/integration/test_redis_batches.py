"""Commands in batches: order, errors, scripts that the server has forgotten, and servers that are away."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ResponseError

from inkgate.service import redis_batches
from inkgate.service.broker.streams.client import async_client
from inkgate.service.redis_batches import SMALL_BYTES, CommandBatches, RoundTrips, packed_command
from tests.event_loops import event_loop_policy  # noqa: F401 - both loops
from tests.valkey import Valkey

PUSH = "return redis.call('RPUSH', KEYS[1], ARGV[1])"


@pytest.fixture
async def client(valkey_server: str) -> AsyncIterator[Redis]:
    client = async_client(valkey_server, 4)
    yield client
    await client.aclose()


@pytest.fixture
async def batches(client: Redis) -> AsyncIterator[CommandBatches]:
    batches = CommandBatches(client)
    yield batches
    await batches.close()


@pytest.fixture
def key() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of commands of each round trip."""
    sizes, send = list[int](), RoundTrips.send

    async def counted(self: RoundTrips, packed: Sequence[bytes]) -> list[Any]:
        sizes.append(len(packed))
        return await send(self, packed)

    monkeypatch.setattr(RoundTrips, "send", counted)
    return sizes


async def test_commands_of_one_turn_of_the_loop_share_a_round_trip(batches: CommandBatches, key: str, sizes: list[int]):
    counts = await asyncio.gather(*(batches.execute("INCR", key) for _ in range(100)))
    assert counts == list(range(1, 101))
    assert sizes == [100]
    await asyncio.gather(*(batches.execute("INCR", key) for _ in range(300)))
    assert sizes[1:] == [128, 128, 44]


async def test_a_single_command_is_sent_at_once(batches: CommandBatches, key: str, sizes: list[int]):
    assert await batches.execute("SET", key, b"\x00\r\n\xff") == b"OK"
    assert await batches.execute("GET", key) == b"\x00\r\n\xff"
    assert sizes == [1, 1]


async def test_an_error_is_that_of_its_command_alone(batches: CommandBatches, key: str):
    answers = await asyncio.gather(
        batches.execute("SET", key, "text"),
        batches.execute("LPUSH", key, "x"),
        batches.execute("GET", key),
        batches.execute("NO-SUCH-COMMAND"),
        return_exceptions=True,
    )
    assert answers[0] == b"OK" and answers[2] == b"text"
    assert isinstance(answers[1], ResponseError) and isinstance(answers[3], ResponseError)


async def test_a_script_that_the_server_has_forgotten_is_loaded_again(
    batches: CommandBatches, client: Redis, key: str, sizes: list[int]
):
    push = batches.script(PUSH)
    for number in (1, 2):
        await client.script_flush()
        together = await asyncio.gather(push([key], [number]), batches.execute("PING"), push([key], [number]))
        assert together == [2 * number - 1, b"PONG", 2 * number]
    assert sizes == [3, 2, 3, 2]


@pytest.mark.parametrize("seed", range(20))
async def test_commands_are_executed_in_order_when_callers_are_cancelled(batches: CommandBatches, key: str, seed: int):
    chance, calls = random.Random(seed), []
    push = batches.script(PUSH + f" -- {key}")  # not loaded yet: the first batch is sent in part twice
    for number in range(200):
        calls.append(asyncio.ensure_future(batches.execute("RPUSH", key, number)))
        await asyncio.sleep(0) if chance.random() < 0.5 else None
        if chance.random() < 0.3:
            chance.choice(calls).cancel()
        if chance.random() < 0.1:
            await asyncio.sleep(0.001)
    await asyncio.gather(*calls, return_exceptions=True)
    assert await push([key], ["end"]) >= 1
    found = [int(item) for item in (await batches.execute("LRANGE", key, 0, -2))]
    assert found == sorted(found), "a command overtook another one"
    answered = [number for number, call in enumerate(calls) if not call.cancelled()]
    assert set(answered) <= set(found) and len(found) == len(set(found))


async def test_a_cancelled_command_is_executed_before_those_that_follow(batches: CommandBatches, key: str):
    first = asyncio.create_task(batches.execute("SET", key, "first"))
    await asyncio.sleep(0)
    first.cancel()
    assert await batches.execute("GET", key) == b"first"


async def test_a_connection_that_the_server_closed_is_replaced(batches: CommandBatches, valkey_server: str, key: str):
    await batches.execute("SET", key, "kept")
    name = await batches.execute("CLIENT", "ID")
    async with Redis.from_url(valkey_server) as other:
        await other.execute_command("CLIENT", "KILL", "ID", name)
    assert await batches.execute("GET", key) == b"kept"


async def test_a_large_command_goes_apart(batches: CommandBatches, key: str, sizes: list[int]):
    value = bytes(SMALL_BYTES)
    small = [batches.execute("PING") for _ in range(3)]
    assert (await asyncio.gather(batches.execute("SET", key, value), *small))[1:] == [b"PONG"] * 3
    assert sorted(sizes) == [1, 3]
    assert await batches.execute("STRLEN", key) == SMALL_BYTES


async def test_more_commands_than_may_wait_are_refused(batches: CommandBatches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(redis_batches, "MAX_WAITING", 3)
    answers = await asyncio.gather(*(batches.execute("PING") for _ in range(5)), return_exceptions=True)
    assert answers[:3] == [b"PONG"] * 3 and all(isinstance(each, ConnectionError) for each in answers[3:])
    assert await batches.execute("PING") == b"PONG"


async def test_closing_fails_what_waits(client: Redis):
    batches = CommandBatches(client)
    waiting = asyncio.create_task(batches.execute("BLPOP", "nothing", 30))
    await asyncio.sleep(0.05)
    behind = asyncio.create_task(batches.execute("PING"))
    await asyncio.sleep(0)
    await batches.close()
    for call in (waiting, behind):
        with pytest.raises(ConnectionError):
            await call


async def test_with_patience_a_restart_of_the_server_is_survived(own_valkey: Valkey):
    client = async_client(own_valkey.url, 2)
    batches = CommandBatches(client)
    assert await batches.execute("PING", patience=5.0) == b"PONG"
    own_valkey.kill()
    patient = asyncio.create_task(batches.execute("INCR", "n", patience=20.0))
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    hasty = await asyncio.gather(*(batches.execute("INCR", "n") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(each, ConnectionError) for each in hasty), hasty
    assert time.monotonic() - begun < 2, "they do not wait for the patient one"
    await asyncio.to_thread(own_valkey.start)
    assert await patient == 1
    await batches.close()
    await client.aclose()


async def test_patience_ends(unused_tcp_port: int):
    client = async_client(f"redis://127.0.0.1:{unused_tcp_port}/0", 2)
    batches = CommandBatches(client)
    begun = time.monotonic()
    calls = [batches.execute("PING", patience=0.4) for _ in range(3)]
    assert all(isinstance(each, ConnectionError) for each in await asyncio.gather(*calls, return_exceptions=True))
    assert 0.1 < time.monotonic() - begun < 3
    await batches.close()
    await client.aclose()


def test_commands_are_packed_as_the_protocol_says():
    assert (
        packed_command("SET", "k", b"\r\n", 5, 0.5)
        == b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n$1\r\n5\r\n$3\r\n0.5\r\n"
    )
