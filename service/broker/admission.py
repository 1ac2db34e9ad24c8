"""Who may enter the queue: bounds on tasks and bytes of this gateway, and a forecast against the call's deadline.

A refusal costs the client one round trip; a call that is let in and times out costs the fleet its work as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from service.broker.interface import Task
from service.errors import Overloaded

_WEIGHT = 0.1    # of the newest sample in the moving mean of service times
_MARGIN = 0.85   # part of the time left that the forecast may fill: service times scatter around their mean
_LONGEST_RETRY = 30


class Admission:
    """Counts what is in work and forecasts when a new call would be done."""

    def __init__(self, *, max_tasks: int, max_bytes: int) -> None:
        self.max_tasks = max_tasks
        self.max_bytes = max_bytes
        self.tasks = 0
        self.bytes = 0
        self._service: dict[str, float] = {}

    def observe(self, capability: str, seconds: float) -> None:
        """Learn how long a worker took for one image."""
        mean = self._service.get(capability)
        self._service[capability] = seconds if mean is None else mean + _WEIGHT * (seconds - mean)

    def mean_service(self, capability: str) -> float:
        """Seconds a worker takes for one image; 0.0 while nothing is known, which lets calls in."""
        return self._service.get(capability, 0.0)

    def enter(self, tasks: Sequence[Task], waiting: Mapping[str, int], workers: int, now: float) -> None:
        """Count the tasks of one call in. `waiting` is the number of queued images per capability.

        Raises Overloaded when a bound is passed or the forecast misses the deadline.
        """
        size = sum(len(task.image) for task in tasks)
        if self.tasks + len(tasks) > self.max_tasks:
            raise Overloaded(f"{self.tasks} images in work, the limit is {self.max_tasks}")
        if self.bytes + size > self.max_bytes:
            raise Overloaded(f"{self.bytes} bytes in work and {size} more, the limit is {self.max_bytes}")
        self._forecast(tasks, waiting, workers, now)
        self.tasks += len(tasks)
        self.bytes += size

    def leave(self, tasks: Sequence[Task]) -> None:
        self.tasks -= len(tasks)
        self.bytes -= sum(len(task.image) for task in tasks)

    def _forecast(self, tasks: Sequence[Task], waiting: Mapping[str, int], workers: int, now: float) -> None:
        if not self.tasks:
            return  # an idle gateway always tries: a forecast spoilt by one stall must be able to mend itself
        left = min(task.deadline for task in tasks) - now
        backlog = sum(count * self.mean_service(capability) for capability, count in waiting.items())
        own = [self.mean_service(task.capability) for task in tasks]
        # One image cannot be shared among workers: a call takes at least its longest image.
        expected = max((backlog + sum(own)) / max(1, workers), backlog / max(1, workers) + max(own))
        if expected > left * _MARGIN:
            wait = min(_LONGEST_RETRY, max(1, math.ceil(expected - left * _MARGIN)))
            raise Overloaded(f"{expected:.1f} s of work ahead, {left:.1f} s left", retry_after=wait)
