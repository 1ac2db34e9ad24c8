"""Answers that were paid for and perhaps not delivered (CONTRACT D3).

Before a call is settled its answer is kept under (app, request id, body hash, capability); once the client has it
whole, it is dropped. A client that repeats the very same request meanwhile gets the kept answer. Its settlement is made
again first, which costs nothing when the first one went through: settling is idempotent by call id.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from inkgate.service.metering.interface import Settlement

TTL_SECONDS = 600  # seconds


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A finished answer and the settlement that pays for it."""

    settlement: Settlement
    status: int
    body: bytes


class ReplayStore(Protocol):
    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        """Keep an answer, unless one is kept already; the one that is kept now, and is to be paid for and given."""

    async def find(self, key: str) -> KeptAnswer | None: ...

    async def discard(self, key: str, call_id: str) -> None:
        """Forget the answer of this call; one that another call has kept under the key meanwhile stays."""


def replay_key(app_id: str, request_id: str, body_hash: str, capability: str) -> str:
    """The name under which an answer is kept; says nothing about its parts."""
    return hashlib.sha256("\n".join((app_id, request_id, body_hash, capability)).encode()).hexdigest()
