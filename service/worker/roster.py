"""The supervisor's list of its workers: how each of them stands, from the events that they tell."""

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

WINDOW = 60  # seconds over which images a second are a mean


class Roster:
    """Hears a supervisor's events, as `FleetMetrics` does, and keeps a card for each of its `count` slots."""

    def __init__(self, count: int, profile: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._host = socket.gethostname()
        blank = WorkerRecord(self._host, 0, "", __version__, profile, STARTING, clock())
        self._cards = {slot: replace(blank, slot=slot) for slot in range(count)}
        self._rates = {slot: _Rate() for slot in range(count)}

    def __call__(self, slot: int, event: Event) -> None:
        card, now = self._cards[slot], self._clock()
        match event:
            case WorkerReady():
                card = replace(
                    card,
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
                card = replace(card, images=card.images + 1)
            case Leaving():
                card = replace(card, state=LEAVING, since=now, reason=event.reason)
            case Gone():
                reason = card.reason if card.state == LEAVING else "crash"
                card = replace(
                    card,
                    name="",
                    state=STARTING,
                    since=now,
                    resident_bytes=0,
                    recycles=card.recycles + 1,
                    reason=reason,
                )
        if isinstance(event, WorkerReady | Done) and event.rss_mib is not None:
            card = replace(card, resident_bytes=int(event.rss_mib * 2**20))
        self._cards[slot] = card

    def cards(self) -> list[WorkerRecord]:
        """The cards of this moment, by slot."""
        now = self._clock()
        return [replace(card, per_second=self._rates[slot].mean(now)) for slot, card in self._cards.items()]


@dataclass(slots=True)
class _Rate:
    """Images of the last minute, counted by the second: at most WINDOW + 1 entries."""

    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW + 1))

    def add(self, now: float) -> None:
        second = int(now)
        if self.seconds and self.seconds[-1][0] == second:
            self.seconds[-1] = second, self.seconds[-1][1] + 1
        else:
            self.seconds.append((second, 1))

    def mean(self, now: float) -> float:
        return sum(count for second, count in self.seconds if now - second <= WINDOW) / WINDOW
