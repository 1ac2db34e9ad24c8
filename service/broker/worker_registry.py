"""The worker registry interface, for console and doctor.

Each supervisor keeps a `WorkerRecord` per worker process. In one process tree the console reads the records directly;
over Redis they are published every few seconds (`inkgate.service.broker.streams.worker_registry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inkgate.service.broker.interface import QueueState

STARTING, READY, LEAVING = "starting", "ready", "leaving"


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker process. `state` is STARTING, READY or LEAVING; `since` is Unix time in seconds of that state.

    `images` counts since the start of the supervisor, `per_second` is the mean of the last minute. `recycles` counts
    the earlier processes of this slot, `reason` says why the last one ended ("images", "memory", "crash", …).
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
class WorkerRegistryState:
    """The state of the queue, and all workers ordered by host and slot."""

    queue: QueueState
    workers: Sequence[WorkerRecord]


class WorkerRegistry(Protocol):
    """Reads the state of queue and workers. `snapshot` raises errors.BrokerUnavailable."""

    async def snapshot(self) -> WorkerRegistryState: ...
