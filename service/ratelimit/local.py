"""Token buckets in this process's memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_BUCKETS = 20_000


@dataclass(slots=True)
class Bucket:
    """`tokens` at `moment` (seconds of a monotonic clock); refilled at the rate up to `burst(rate)`."""

    tokens: float
    moment: float


def burst(qps: float) -> float:
    """Bucket size: the requests of one second, at least one."""
    return max(1.0, math.ceil(qps))


class LocalLimiter:
    """At most `capacity` buckets; the least recently used one is evicted and starts full when used again."""

    def __init__(self, *, capacity: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()
        self._capacity, self._clock = capacity, clock

    async def acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        """Take a token. None when the request is allowed, otherwise the seconds until a token is available."""
        return self.try_acquire(app_id, capability, qps)

    def try_acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        """`acquire` without a coroutine."""
        now, key = self._clock(), (app_id, capability)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(burst(qps), now)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.tokens = min(burst(qps), bucket.tokens + (now - bucket.moment) * qps)
        bucket.moment = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        return (1 - bucket.tokens) / qps

    async def close(self) -> None:
        """Nothing to close."""
