"""The in-process token bucket."""

import pytest

from service.ratelimit import MemoryLimiter


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


async def test_a_second_s_worth_passes_then_waits():
    clock = Clock()
    limiter = MemoryLimiter(clock)
    assert [await limiter.take("a", "general", 10) for _ in range(10)] == [None] * 10
    assert await limiter.take("a", "general", 10) == pytest.approx(0.1)
    clock.now += 0.1
    assert await limiter.take("a", "general", 10) is None
    assert await limiter.take("a", "general", 10) == pytest.approx(0.1)


async def test_apps_and_capabilities_do_not_share():
    limiter = MemoryLimiter(Clock())
    assert await limiter.take("a", "general", 1) is None
    assert await limiter.take("a", "plate", 1) is None
    assert await limiter.take("b", "general", 1) is None
    assert await limiter.take("a", "general", 1) == 1.0


async def test_slow_rates_still_let_one_through():
    limiter = MemoryLimiter(Clock())
    assert await limiter.take("a", "general", 0.5) is None
    assert await limiter.take("a", "general", 0.5) == 2.0
