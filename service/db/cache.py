"""A bounded cache with a time to live and one concurrent load per key."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `capacity` values, each at most `ttl` seconds old; the oldest is evicted first. For one event loop."""

    def __init__(self, load: Callable[[K], Awaitable[V]], ttl: float, capacity: int) -> None:
        self._load, self._ttl, self._capacity = load, ttl, capacity
        self._cached: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._loading: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """The value, loaded when it is missing or too old. Errors of the load are raised and not cached."""
        cached = self._cached.get(key)
        if cached is not None and time.monotonic() - cached[0] < self._ttl:
            return cached[1]
        task = self._loading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._fetch(key))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._forget_load(key, done))
        return await asyncio.shield(task)  # the cancellation of one caller must not cancel the others

    def put(self, key: K, value: V) -> None:
        """Store a value that is known to be current."""
        self._cached[key] = (time.monotonic(), value)
        self._cached.move_to_end(key)
        while len(self._cached) > self._capacity:
            self._cached.popitem(last=False)

    def refresh(self, key: K, change: Callable[[V], None]) -> None:
        """Change a cached value in place, if there is one."""
        cached = self._cached.get(key)
        if cached is not None:
            change(cached[1])

    async def _fetch(self, key: K) -> V:
        value = await self._load(key)
        self.put(key, value)
        return value

    def _forget_load(self, key: K, task: asyncio.Task[V]) -> None:
        self._loading.pop(key, None)
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved when all callers were cancelled
