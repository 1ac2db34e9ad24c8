"""Token buckets in this process, for the embedded service."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

CAPACITY = 10_000  # buckets kept; a forgotten one starts full, which errs on the caller's side


class MemoryLimiter:
    """One token bucket per (app, capability) that refills at `qps` and holds one second's worth, at least one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    async def take(self, app_id: str, capability: str, qps: float) -> float | None:
        """Take one token; None when there was one, else the seconds until there will be."""
        key, now = (app_id, capability), self._clock()
        size = max(1.0, qps)
        tokens, since = self._buckets.pop(key, (size, now))
        tokens = min(size, tokens + (now - since) * qps)
        passes = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if passes else tokens, now)
        if len(self._buckets) > CAPACITY:
            self._buckets.popitem(last=False)
        return None if passes else (1.0 - tokens) / qps
