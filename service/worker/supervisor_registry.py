"""Worker registry of a supervisor: the state of each worker, from its events."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inkgate.service import __version__
from inkgate.service.broker.messages import MessageError
from inkgate.service.broker.worker_registry import LEAVING, READY, STARTING, WorkerRecord
from inkgate.service.worker.control import Done, Event, Gone, Leaving, Ready, WorkerReady

RATE_WINDOW_SECONDS = 60  # images per second are averaged over this time


class SupervisorRegistry:
    """Receives the events of a supervisor and keeps one record for each of its `count` slots."""

    def __init__(self, count: int, profile: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._host = socket.gethostname()
        empty = WorkerRecord(self._host, 0, "", __version__, profile, STARTING, clock())
        self._records = {slot: replace(empty, slot=slot) for slot in range(count)}
        self._rates = {slot: _ImageRate() for slot in range(count)}

    def __call__(self, slot: int, event: Event) -> None:
        record, now = self._records[slot], self._clock()
        match event:
            case WorkerReady():
                record = replace(
                    record,
                    name=event.name,
                    state=READY,
                    since=now,
                    engine=event.engine.engine,
                    models=event.engine.model,
                    device=event.engine.device,
                )
            case Ready():
                raise MessageError("a worker's ready without its name")
            case Done():
                self._rates[slot].add(now)
                record = replace(record, images=record.images + 1)
            case Leaving():
                record = replace(record, state=LEAVING, since=now, reason=event.reason)
            case Gone():
                reason = record.reason if record.state == LEAVING else "crash"
                record = replace(
                    record,
                    name="",
                    state=STARTING,
                    since=now,
                    resident_bytes=0,
                    recycles=record.recycles + 1,
                    reason=reason,
                )
        if isinstance(event, WorkerReady | Done) and event.rss_mib is not None:
            record = replace(record, resident_bytes=int(event.rss_mib * 2**20))
        self._records[slot] = record

    def records(self) -> list[WorkerRecord]:
        """The present records, in the order of slots."""
        now = self._clock()
        return [replace(record, per_second=self._rates[slot].mean(now)) for slot, record in self._records.items()]


@dataclass(slots=True)
class _ImageRate:
    """Image counts per second over the window: at most RATE_WINDOW_SECONDS + 1 entries."""

    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RATE_WINDOW_SECONDS + 1))

    def add(self, now: float) -> None:
        second = int(now)
        if self.seconds and self.seconds[-1][0] == second:
            self.seconds[-1] = second, self.seconds[-1][1] + 1
        else:
            self.seconds.append((second, 1))

    def mean(self, now: float) -> float:
        return sum(count for second, count in self.seconds if now - second <= RATE_WINDOW_SECONDS) / RATE_WINDOW_SECONDS
