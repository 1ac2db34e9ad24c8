"""Store of answers that were charged and perhaps not delivered (CONTRACT D3).

Before a call is settled its answer is stored under (app, request id, body hash, capability); it is deleted once it is
delivered completely. A client that repeats the same request meanwhile gets the stored answer. It is settled again
first, which charges nothing if the first settlement committed: settlement is idempotent by call id.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Protocol

from inkgate.service.metering.interface import Settlement

TTL_SECONDS = 600  # seconds


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A finished answer and its settlement."""

    settlement: Settlement
    status: int
    body: bytes


class ReplayStore(Protocol):
    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        """Store an answer unless there is one. Returns the stored one, which must be settled and sent."""

    async def find(self, key: str) -> KeptAnswer | None: ...

    def discard(self, key: str, call_id: str) -> asyncio.Future[None]:
        """Delete the answer of this call; an answer of another call under the same key stays. Begins at once; the
        future, which may be ignored, is done at the end and has no exception."""


def replay_key(app_id: str, request_id: str, body_hash: str, capability: str) -> str:
    """The key of an answer: a SHA-256 hash, which does not reveal its parts."""
    return hashlib.sha256("\n".join((app_id, request_id, body_hash, capability)).encode()).hexdigest()
