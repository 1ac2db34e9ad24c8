"""Both limiters enforce rate and burst per (app, capability); an outage of Redis never stops the service."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from inkgate.service.ratelimit import LocalLimiter, RedisLimiter
from inkgate.service.redis_batches import CommandBatches

Limiter = LocalLimiter | RedisLimiter


@pytest.fixture
async def redis(valkey_server: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_server)
    yield client
    await client.aclose()


@pytest.fixture
async def commands(redis: Redis) -> CommandBatches:
    return CommandBatches(redis)


@pytest.fixture(params=["local", "redis"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    if request.param == "local":
        return LocalLimiter()
    return RedisLimiter(request.getfixturevalue("commands"), f"test-{uuid.uuid4().hex}", timeout=5)


async def test_a_burst_of_one_second_is_allowed_and_then_the_rate_applies(limiter: Limiter) -> None:
    waits = [await limiter.acquire("app", "general", 2.0) for _ in range(4)]
    assert [wait is None for wait in waits] == [True, True, False, False]
    assert waits[2] is not None and 0 < waits[2] <= 0.5
    await asyncio.sleep(waits[2] + 0.01)
    assert await limiter.acquire("app", "general", 2.0) is None


async def test_each_app_and_capability_has_a_bucket_of_its_own(limiter: Limiter) -> None:
    assert await limiter.acquire("app", "general", 1.0) is None
    assert await limiter.acquire("app", "general", 1.0) is not None
    assert await limiter.acquire("app", "plate", 1.0) is None
    assert await limiter.acquire("other", "general", 1.0) is None


async def test_a_rate_below_one_allows_single_requests(limiter: Limiter) -> None:
    assert await limiter.acquire("app", "general", 0.1) is None
    wait = await limiter.acquire("app", "general", 0.1)
    assert wait is not None and 9 < wait <= 10


async def test_two_gateways_share_one_bucket(commands: CommandBatches) -> None:
    gateways = [RedisLimiter(commands, "shared", timeout=5) for _ in range(2)]
    waits = await asyncio.gather(*(gateways[n % 2].acquire("app", "general", 5.0) for n in range(20)))
    assert sum(wait is None for wait in waits) == 5


async def test_unused_buckets_expire_in_redis(redis: Redis, commands: CommandBatches) -> None:
    await RedisLimiter(commands, "leaving", timeout=5).acquire("app", "general", 10.0)
    assert 0 < await redis.pttl("leaving:rate:app:general") <= 2000


async def test_without_redis_the_limiter_counts_locally_and_does_not_wait_for_it_each_time() -> None:
    limiter = RedisLimiter(CommandBatches(Redis.from_url("redis://127.0.0.1:1/0")), "nowhere")
    assert await limiter.acquire("app", "general", 2.0) is None
    begun = time.perf_counter()
    waits = [await limiter.acquire("app", "general", 2.0) for _ in range(50)]
    assert time.perf_counter() - begun < 0.1
    assert sum(wait is None for wait in waits) == 1


async def test_the_local_limiter_evicts_the_least_recently_used_bucket() -> None:
    now = 0.0
    limiter = LocalLimiter(capacity=2, clock=lambda: now)
    for app in ("a", "b", "a", "c"):  # "b" has to go
        await limiter.acquire(app, "general", 1.0)
    assert await limiter.acquire("a", "general", 1.0) is not None
    assert await limiter.acquire("b", "general", 1.0) is None


async def test_a_bucket_never_holds_more_than_its_burst() -> None:
    now = 0.0
    limiter = LocalLimiter(clock=lambda: now)
    await limiter.acquire("app", "general", 10.0)
    now = 1000.0
    waits = [await limiter.acquire("app", "general", 10.0) for _ in range(30)]
    assert sum(wait is None for wait in waits) == 10
