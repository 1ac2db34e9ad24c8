"""Answers that were paid for and perhaps not delivered (CONTRACT D3).

Before a call is settled its answer is kept under (app, request id, body hash); once the client has it whole, it is
dropped. A client that repeats the very same request meanwhile gets the kept answer. Its settlement is made again
first, which costs nothing when the first one went through: settling is idempotent by call id.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from service.metering.interface import Settlement

TTL = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A finished answer and the settlement that pays for it."""

    settlement: Settlement
    status: int
    body: bytes


class ReplayStore(Protocol):
    async def keep(self, key: str, answer: KeptAnswer) -> None: ...

    async def find(self, key: str) -> KeptAnswer | None: ...

    async def drop(self, key: str) -> None: ...


def replay_key(app_id: str, request_id: str, body_hash: str, path: str) -> str:
    return hashlib.sha256("\n".join((app_id, request_id, body_hash, path)).encode()).hexdigest()


class MemoryReplayStore:
    """The embedded store: this process only, bounded in bytes, oldest out first."""

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._kept: OrderedDict[str, tuple[float, KeptAnswer]] = OrderedDict()
        self._bytes, self._max_bytes = 0, max_bytes

    async def keep(self, key: str, answer: KeptAnswer) -> None:
        await self.drop(key)
        self._kept[key] = (time.monotonic() + TTL, answer)
        self._bytes += len(answer.body)
        while self._kept and (self._bytes > self._max_bytes or self._oldest_expired()):
            _, (_, old) = self._kept.popitem(last=False)
            self._bytes -= len(old.body)

    def _oldest_expired(self) -> bool:
        return next(iter(self._kept.values()))[0] < time.monotonic()

    async def find(self, key: str) -> KeptAnswer | None:
        expires, answer = self._kept.get(key, (0.0, None))
        return answer if expires > time.monotonic() else None

    async def drop(self, key: str) -> None:
        if (entry := self._kept.pop(key, None)) is not None:
            self._bytes -= len(entry[1].body)
