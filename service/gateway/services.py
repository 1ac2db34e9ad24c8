"""What a gateway's pipeline works with: the interfaces of the other parts, one value of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from inkgate.service.accounts.directory import Directory
from inkgate.service.broker.interface import Broker
from inkgate.service.metering.interface import Ledger
from inkgate.service.replay import ReplayStore
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import Refusals


class RateLimiter(Protocol):
    async def acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        """None when the call may pass, else the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Services:
    """The dependencies of a `Pipeline`, which neither starts nor closes them.

    `pool` takes what would keep the event loop busy: unsealing, parsing and checking of large bodies.
    """

    directory: Directory
    ledger: Ledger
    broker: Broker
    limiter: RateLimiter
    replays: ReplayStore
    pool: ThreadPoolExecutor
    tracing: Tracing = field(default_factory=Tracing)
    refusals: Refusals = field(default_factory=Refusals)
