"""The dependencies of a gateway's pipeline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from inkgate.service.accounts.directory import Directory
from inkgate.service.broker.interface import Broker
from inkgate.service.gateway.forward import Forwarder
from inkgate.service.gateway.shadow import ShadowReader
from inkgate.service.metering.interface import Ledger
from inkgate.service.replay import ReplayStore
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import Refusals


class RateLimiter(Protocol):
    async def acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        """None when the call is within the rate, else the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Services:
    """The dependencies of a `Pipeline`, which neither starts nor closes them.

    `pool` runs what would block the event loop: unsealing, parsing and validating large bodies. `forwarder` and
    `shadow` exist where calls may be sent on to the cloud.
    """

    directory: Directory
    ledger: Ledger
    broker: Broker
    limiter: RateLimiter
    replays: ReplayStore
    pool: ThreadPoolExecutor
    tracing: Tracing = field(default_factory=Tracing)
    refusals: Refusals = field(default_factory=Refusals)
    forwarder: Forwarder | None = None
    shadow: ShadowReader | None = None
