"""The embedded store: in this process, bounded in bytes, the oldest answer is evicted first."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from inkgate.service.replay.interface import TTL_SECONDS, KeptAnswer


class MemoryReplayStore:
    """`ReplayStore` for one process."""

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._kept: OrderedDict[str, tuple[float, KeptAnswer]] = OrderedDict()
        self._bytes, self._max_bytes = 0, max_bytes

    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        if (existing := await self.find(key)) is not None:
            return existing
        self._forget(key)
        self._kept[key] = (time.monotonic() + TTL_SECONDS, answer)
        self._bytes += len(answer.body)
        while self._kept and (self._bytes > self._max_bytes or self._oldest_expired()):
            _, (_, old) = self._kept.popitem(last=False)
            self._bytes -= len(old.body)
        return answer

    def _oldest_expired(self) -> bool:
        return next(iter(self._kept.values()))[0] < time.monotonic()

    async def find(self, key: str) -> KeptAnswer | None:
        expires, answer = self._kept.get(key, (0.0, None))
        return answer if expires > time.monotonic() else None

    def discard(self, key: str, call_id: str) -> asyncio.Future[None]:
        existing = self._kept.get(key)
        if existing is not None and existing[1].settlement.call_id == call_id:
            self._forget(key)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def _forget(self, key: str) -> None:
        if (entry := self._kept.pop(key, None)) is not None:
            self._bytes -= len(entry[1].body)
