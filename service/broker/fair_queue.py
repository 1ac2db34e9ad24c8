"""The embedded broker's queue: tasks of all apps in start-time fair order (docs/adr/0045-fair-order.md).

Each task gets a start tag: the finish tag of the app's previous task, or BURST_IMAGES before the queue's virtual time,
whichever is later. A task takes 1 / weight of virtual time; the lowest tag is served first. When the queue is empty all
tags are reset. An app with little recent traffic is therefore served before the backlog of others, an app with much
traffic gets its fair share, and a single app gets every worker.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inkgate.service.broker.interface import Task
from inkgate.service.broker.shares import cost_of_image

BURST_IMAGES = 8.0  # images of weight 1 by which an app below its share may be ahead of the others
_MAX_TOMBSTONES = 64  # removed tasks in the heap above the number of live ones, before it is rebuilt
Key = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class QueuedTask:
    """A waiting task, ordered by start tag; `since` is Unix time in seconds."""

    start: float
    number: int
    since: float = field(compare=False)
    task: Task = field(compare=False)

    @property
    def key(self) -> Key:
        return self.task.call_id, self.task.number


class FairQueue:
    """Push and pop in O(log n). `waiting` counts capability -> app -> tasks."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = weights or {}
        self._heap: list[QueuedTask] = []
        self._live: dict[Key, QueuedTask] = {}
        self._finish: dict[str, float] = {}  # app -> finish tag of its last task (virtual time)
        self._now = 0.0
        self._count = 0
        self.waiting: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def __len__(self) -> int:
        return len(self._live)

    def push(self, task: Task, since: float) -> None:
        """Queue a task behind those of its own app."""
        if not self._live:
            self._finish.clear()  # the queue is empty: reset the tags
        start = max(self._now - BURST_IMAGES, self._finish.get(task.app, -math.inf))
        self._finish[task.app] = start + self._cost(task)
        self._count += 1
        self._add(QueuedTask(start, self._count, since, task))

    def requeue(self, entry: QueuedTask) -> None:
        """Queue a popped task again, ahead of all others: its caller has waited longest."""
        self._add(replace(entry, start=-math.inf))

    def pop(self) -> QueuedTask | None:
        """Remove and return the next task in fair order, None when the queue is empty."""
        while self._heap:
            entry = heapq.heappop(self._heap)
            if self._live.get(entry.key) is entry:
                self._discard_entry(entry)
                self._now = max(self._now, entry.start)
                return entry
        return None

    def remove(self, key: Key) -> None:
        """Remove a waiting task, and its cost from the finish tag of its app.

        A task whose worker died stays: only an isolated read shows whether the image caused it, and a client must not
        prevent that by disconnecting.
        """
        entry = self._live.get(key)
        if entry is None or entry.task.delivery > 1:
            return
        self._discard_entry(entry)
        app = entry.task.app
        if app in self._finish:
            self._finish[app] -= self._cost(entry.task)
        if len(self._heap) > 2 * len(self._live) + _MAX_TOMBSTONES:
            self._heap = sorted(self._live.values())

    def oldest_since(self) -> float | None:
        """The time since which the oldest task waits, None when the queue is empty."""
        return min((entry.since for entry in self._live.values()), default=None)

    def _add(self, entry: QueuedTask) -> None:
        self._live[entry.key] = entry
        self.waiting[entry.task.capability][entry.task.app] += 1
        heapq.heappush(self._heap, entry)

    def _discard_entry(self, entry: QueuedTask) -> None:
        del self._live[entry.key]
        apps = self.waiting[entry.task.capability]
        apps[entry.task.app] -= 1
        if not apps[entry.task.app]:
            del apps[entry.task.app]

    def _cost(self, task: Task) -> float:
        return cost_of_image(self._weights, task.app)
