"""The embedded broker's queue: tasks of all apps in start-time fair order (docs/adr/0045-fair-order.md).

Each task gets a start tag: the end of the app's task before it, or BURST before the queue's virtual time, whichever is
later. A task takes 1 / weight of virtual time, and the lowest tag goes first. While nothing waits all are even. So an
app that sent little lately goes ahead of what others have queued, however much that is, one that sends much gets its
turns, and one that is alone gets every worker.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inkgate.service.broker.interface import Task
from inkgate.service.broker.shares import DEFAULT_WEIGHT

BURST = 8.0  # images of weight 1 by which an app that sent less than its share may be ahead of the others
_SLACK = 64  # removed tasks that the heap may hold besides as many as there are live ones
Key = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A task that waits, ordered by start tag; `since` is Unix time in seconds."""

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
        self._heap: list[Waiting] = []
        self._live: dict[Key, Waiting] = {}
        self._finish: dict[str, float] = {}  # app -> end of its last task, in virtual time
        self._now = 0.0
        self._count = 0
        self.waiting: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def __len__(self) -> int:
        return len(self._live)

    def push(self, task: Task, since: float) -> None:
        """Queue a task behind those of its own app."""
        if not self._live:
            self._finish.clear()  # while nothing waits nobody is ahead of anybody
        start = max(self._now - BURST, self._finish.get(task.app, -math.inf))
        self._finish[task.app] = start + self._cost(task)
        self._count += 1
        self._add(Waiting(start, self._count, since, task))

    def put_back(self, entry: Waiting) -> None:
        """Queue a task again that was popped, before all others: its caller has waited longest."""
        self._add(replace(entry, start=-math.inf))

    def pop(self) -> Waiting | None:
        """The task whose turn it is, None when none waits."""
        while self._heap:
            entry = heapq.heappop(self._heap)
            if self._live.get(entry.key) is entry:
                self._forget(entry)
                self._now = max(self._now, entry.start)
                return entry
        return None

    def remove(self, key: Key) -> None:
        """Take a task out, if it still waits. Its app's later tasks come as if it had never been there.

        One whose worker died stays: only reading it alone tells whose fault that was, and a client that hangs up must
        not prevent it.
        """
        entry = self._live.get(key)
        if entry is None or entry.task.delivery > 1:
            return
        self._forget(entry)
        app = entry.task.app
        if app in self._finish:
            self._finish[app] -= self._cost(entry.task)
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = sorted(self._live.values())

    def oldest(self) -> float | None:
        """Since when the task that waits longest has been waiting."""
        return min((entry.since for entry in self._live.values()), default=None)

    def _add(self, entry: Waiting) -> None:
        self._live[entry.key] = entry
        self.waiting[entry.task.capability][entry.task.app] += 1
        heapq.heappush(self._heap, entry)

    def _forget(self, entry: Waiting) -> None:
        del self._live[entry.key]
        apps = self.waiting[entry.task.capability]
        apps[entry.task.app] -= 1
        if not apps[entry.task.app]:
            del apps[entry.task.app]

    def _cost(self, task: Task) -> float:
        return 1 / self._weights.get(task.app, DEFAULT_WEIGHT)
