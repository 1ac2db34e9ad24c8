"""What worker processes tell over their control sockets, as metrics of the process that supervises them."""

from __future__ import annotations

from dataclasses import asdict

from inkgate.service.broker.interface import Outcome
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker.control import (
    Done,
    EngineFacts,
    Event,
    Gone,
    Leaving,
    MalformedMessage,
    TaskFailed,
    WorkerReady,
)


class FleetMetrics:
    """Hears a supervisor's events. The workers themselves keep no metrics and load no library for them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ready: set[int] = set()
        self._leaving: set[int] = set()
        self._engines: dict[int, EngineFacts] = {}

    def __call__(self, slot: int, event: Event) -> None:
        match event:
            case WorkerReady():
                self._ready.add(slot)
                self._engines[slot] = event.engine
                self._metrics.model(**asdict(event.engine), profile=event.profile)
            case Done():
                self._done(slot, event)
            case Leaving():
                self._leaving.add(slot)
                self._metrics.recycled("drain" if event.reason == "stop" else event.reason)
            case MalformedMessage():
                self._metrics.malformed(event.message)
            case TaskFailed():
                self._metrics.background_restarted(event.task)
            case Gone():
                self._ready.discard(slot)
                if slot not in self._leaving and event.status != 0:
                    self._metrics.recycled("crash")
                self._leaving.discard(slot)
        self._metrics.worker_ready(len(self._ready))
        if isinstance(event, WorkerReady | Done) and event.rss_mib is not None:
            self._metrics.worker_memory(slot, int(event.rss_mib * 2**20))

    def _done(self, slot: int, event: Done) -> None:
        self._metrics.image(event.capability, event.outcome)
        self._metrics.inference(**asdict(self._engines[slot]), seconds=event.stages.get("infer", 0.0))
        self._metrics.batch(event.in_hand)
        if event.lines is not None:
            self._metrics.lines(event.capability, event.lines)
        if event.delivery > 1:
            self._metrics.reclaimed()
            if event.outcome == Outcome.FAILED:
                self._metrics.poison()
