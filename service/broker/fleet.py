"""What is known of the workers behind a queue, for those who watch over them.

Whoever supervises worker processes keeps a `WorkerCard` for each; in one process tree the console reads them there,
over Redis they are posted every few seconds (`inkgate.service.broker.streams.roll`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inkgate.service.broker.interface import QueueState

STARTING, READY, LEAVING = "starting", "ready", "leaving"


@dataclass(frozen=True, slots=True)
class WorkerCard:
    """One worker process. `state` is STARTING, READY or LEAVING; `since` is Unix time in seconds of that state.

    `images` counts since the supervisor began, `per_second` is the mean of the last minute. `recycles` counts the
    processes that this one replaced, `reason` says why the last of them went ("images", "memory", "crash", …).
    """

    host: str
    slot: int
    name: str
    version: str
    profile: str
    state: str
    since: float
    engine: str = ""
    models: str = ""
    device: str = ""
    images: int = 0
    per_second: float = 0.0
    resident_bytes: int = 0
    recycles: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FleetState:
    """The queue and all workers, by host and slot."""

    queue: QueueState
    workers: Sequence[WorkerCard]


class Fleet(Protocol):
    """Looks at queue and workers. Raises errors.BrokerUnavailable when they cannot be seen."""

    async def look(self) -> FleetState: ...
