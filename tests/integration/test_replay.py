"""Stored answers: both stores behave alike."""

import uuid
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.metering.interface import Settlement
from inkgate.service.replay import KeptAnswer, MemoryReplayStore, NoReplayStore, RedisReplayStore, replay_key

SETTLEMENT = Settlement("call-1", "account", "app", "general", 3, 3, 1, 0, 1234, 56, "10.0.0.1", "request-1")
ANSWER = KeptAnswer(SETTLEMENT, 200, b'{"a": "\xe5\x9b\xbe"}\n\x00tail')


@pytest.fixture(params=["memory", "redis"])
async def store(request):
    if request.param == "memory":
        yield MemoryReplayStore()
        return
    async with Redis.from_url(request.getfixturevalue("valkey_server")) as client:
        yield RedisReplayStore(client, f"replay-{uuid.uuid4()}")


async def test_an_answer_is_stored_found_and_deleted(store):
    assert await store.find("k") is None
    await store.keep("k", ANSWER)
    assert await store.find("k") == ANSWER
    assert await store.find("other") is None
    await store.discard("k", "call-1")
    await store.discard("k", "call-1")
    assert await store.find("k") is None


async def test_of_two_calls_with_the_same_request_the_first_to_keep_its_answer_stands(store):
    second = KeptAnswer(replace(SETTLEMENT, call_id="call-2"), 200, b"second")
    assert await store.keep("k", ANSWER) == ANSWER
    assert await store.keep("k", second) == ANSWER
    await store.discard("k", "call-2")
    assert await store.find("k") == ANSWER, "a call drops its own answer alone"
    await store.discard("k", "call-1")
    assert await store.keep("k", second) == second


async def test_memory_is_bounded_and_the_oldest_answer_is_evicted():
    store = MemoryReplayStore(max_bytes=100)
    for number in range(5):
        await store.keep(str(number), KeptAnswer(SETTLEMENT, 200, bytes(30)))
    assert [await store.find(str(n)) is not None for n in range(5)] == [False, False, True, True, True]


async def test_an_answer_expires_after_ten_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("inkgate.service.replay.memory.time.monotonic", lambda: now[0])
    store = MemoryReplayStore()
    await store.keep("k", ANSWER)
    now[0] += 599
    assert await store.find("k") is not None
    now[0] += 2
    assert await store.find("k") is None


async def test_an_answer_that_the_next_release_kept_is_found(valkey_server):
    """During an upgrade both releases answer repeated requests; an unknown field must not lose a charged answer."""
    namespace = f"replay-{uuid.uuid4()}"
    async with Redis.from_url(valkey_server) as client:
        store = RedisReplayStore(client, namespace)
        await store.keep("k", ANSWER)
        (key,) = await client.keys(f"{namespace}:*")
        kept = await client.get(key)
        await client.set(key, kept.replace(b'"settlement":{', b'"settlement":{"colour":"red",'))
        assert await store.find("k") == ANSWER


@pytest.mark.parametrize("cipher", ["aes-256-gcm", "sm4-gcm"])
async def test_a_sealed_answer_is_found_by_every_gateway_with_the_key(valkey_server, cipher):
    namespace, key = f"replay-{uuid.uuid4()}", new_key()
    async with Redis.from_url(valkey_server) as client:
        sealing = RedisReplayStore(client, namespace, Vault([key], cipher), seal=True)
        plain = RedisReplayStore(client, namespace, Vault([key]))
        other_key = RedisReplayStore(client, namespace, Vault([new_key()]))
        assert await sealing.keep("k", ANSWER) == ANSWER
        (name,) = await client.keys(f"{namespace}:*")
        stored = await client.get(name)
        assert stored.startswith(b"call-1\n") and b"tail" not in stored and b"10.0.0.1" not in stored
        for store in (sealing, plain):
            assert await store.find("k") == ANSWER
            assert await store.keep("k", replace(ANSWER, body=b"other")) == ANSWER
        assert await other_key.find("k") is None
        await client.rename(name, name.replace(b":k", b":moved"))
        assert await sealing.find("moved") is None, "it is bound to its request"
        await plain.keep("k", ANSWER)
        assert await sealing.find("k") == ANSWER, "answers of the time before the switch"
        await sealing.discard("k", "call-1")
        assert await sealing.find("k") is None


async def test_no_answer_is_kept_where_the_operator_wants_none():
    store = NoReplayStore()
    assert await store.keep("k", ANSWER) == ANSWER
    assert await store.find("k") is None
    await store.discard("k", "call-1")


async def test_without_redis_no_call_is_charged():
    async with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as client:
        store = RedisReplayStore(client, "test")
        with pytest.raises(BrokerUnavailable):
            await store.keep("k", ANSWER)
        with pytest.raises(BrokerUnavailable):
            await store.find("k")
        await store.discard("k", "call-1")


def test_keys_differ_per_call():
    parts = ("app", "request", "hash", "general")
    others = [tuple(p + "x" if i == n else p for i, p in enumerate(parts)) for n in range(4)]
    assert len({replay_key(*key) for key in (parts, *others)}) == 5
