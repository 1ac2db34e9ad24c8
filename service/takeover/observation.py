"""One mirrored call as both services answered it: the interface between mirroring and reporting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CloudAnswer:
    """The answer of the cloud: HTTP status, business or gateway code, seconds until its last byte, and body.

    `code` is the contract's `statusCode` or error code as text, "" when unknown. `body` is None when none arrived.
    """

    status: int
    code: str
    seconds: float
    body: bytes | None


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """The answer that this installation would have given; the fields are those of CloudAnswer."""

    status: int
    code: str
    seconds: float
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One call: when (UTC), whose, which capability, and both answers where there are.

    `skipped` is the reason when there is no local answer: "sealed" (its key is not here), "shed" (no free capacity),
    "failed" (the reading failed); "" when there is one. Bodies are plain (not sealed) and never stored.
    """

    at: datetime
    account_id: str
    app_id: str
    capability: str
    cloud: CloudAnswer | None
    local: LocalAnswer | None
    skipped: str


class Observer(Protocol):
    """Takes observations."""

    async def record(self, observation: Observation) -> None:
        """Keep what is compared of one call. Never raises, is bounded in time and memory, never delays a call."""
        ...
