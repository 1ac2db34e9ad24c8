"""Admission control of the queue: limits on tasks and bytes of this gateway, and a forecast against the deadline.

A refusal costs the client one round trip; a call that is admitted and times out also wastes the workers' time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from inkgate.service.broker.interface import Task
from inkgate.service.broker.shares import FairShares
from inkgate.service.errors import Overloaded

WaitingCounts = Mapping[str, Mapping[str, int]]
"""Waiting images: capability -> app -> count."""

_EWMA_WEIGHT = 0.1  # weight of the newest sample in the exponentially weighted mean of service times
_FORECAST_MARGIN = 0.85  # fraction of the remaining time that the forecast may use: service times vary
_MAX_RETRY_AFTER_SECONDS = 30
MAX_IMAGES_PER_CALL = 50  # CONTRACT section 4; such a call fits within the share of an app


class QueueAdmission:
    """Counts tasks in progress and forecasts when a new call would be finished. `weights` by app, default 1.0."""

    def __init__(self, *, max_tasks: int, max_bytes: int, weights: Mapping[str, float] | None = None) -> None:
        self._tasks = FairShares(max_tasks, weights, largest=MAX_IMAGES_PER_CALL)
        self._bytes = FairShares(max_bytes, weights)
        self._service: dict[str, float] = {}

    @property
    def tasks(self) -> int:
        """Images in progress."""
        return self._tasks.used

    @property
    def bytes(self) -> int:
        """Bytes of the images in progress."""
        return self._bytes.used

    def record_service_time(self, capability: str, seconds: float) -> None:
        """Add the seconds that a worker took for one image to the mean of the capability."""
        mean = self._service.get(capability)
        self._service[capability] = seconds if mean is None else mean + _EWMA_WEIGHT * (seconds - mean)

    def mean_service(self, capability: str) -> float:
        """Mean seconds per image of a worker; 0.0 while unknown, so that calls are admitted."""
        return self._service.get(capability, 0.0)

    def acquire(self, tasks: Sequence[Task], waiting: WaitingCounts, workers: int, now: float) -> None:
        """Admit the tasks of one call; `now` is Unix time in seconds.

        Raises Overloaded when a limit or the app's share of it is exceeded, or the forecast misses the deadline.
        """
        app, size = tasks[0].app, sum(len(task.image) for task in tasks)
        if not self._tasks.may_acquire(app, len(tasks)):
            raise Overloaded(_limit_exceeded(self._tasks, app, "images"))
        if not self._bytes.may_acquire(app, size):
            raise Overloaded(f"{_limit_exceeded(self._bytes, app, 'bytes')}, {size} more are asked for")
        self._forecast(tasks, waiting, workers, now)
        self._tasks.acquire(app, len(tasks))
        self._bytes.acquire(app, size)

    def release(self, tasks: Sequence[Task]) -> None:
        self._tasks.release(tasks[0].app, len(tasks))
        self._bytes.release(tasks[0].app, sum(len(task.image) for task in tasks))

    def _forecast(self, tasks: Sequence[Task], waiting: WaitingCounts, workers: int, now: float) -> None:
        if not self.tasks:
            return  # an idle gateway always admits, so that a mean distorted by one stall can recover
        left = min(task.deadline for task in tasks) - now
        ahead = self._work_ahead(tasks, waiting)
        own = [self.mean_service(task.capability) for task in tasks]
        # One image cannot be split between workers: a call takes at least as long as its slowest image.
        expected = max((ahead + sum(own)) / max(1, workers), ahead / max(1, workers) + max(own))
        if expected > left * _FORECAST_MARGIN:
            wait = min(_MAX_RETRY_AFTER_SECONDS, max(1, math.ceil(expected - left * _FORECAST_MARGIN)))
            raise Overloaded(f"{expected:.1f} s of work ahead, {left:.1f} s left", retry_after=wait)

    def _work_ahead(self, tasks: Sequence[Task], waiting: WaitingCounts) -> float:
        """Seconds of work ahead of the last of these tasks in fair order, without the tasks themselves.

        While an app has k images waiting, each other app of the capability gets at most k turns times the ratio of the
        weights. Workers serve the capabilities in turn, so each other capability gets at most as many turns.
        """
        app, capability = tasks[0].app, tasks[0].capability
        apps = waiting.get(capability, {})
        own_tasks = apps.get(app, 0) + len(tasks)
        per_turn = 1 / self._tasks.weight(app)
        others = sum(
            min(count, own_tasks * per_turn * self._tasks.weight(other))
            for other, count in apps.items()
            if other != app
        )
        ahead = (own_tasks + others - len(tasks)) * self.mean_service(capability)
        for name, queues in waiting.items():
            if name != capability:
                ahead += min(sum(queues.values()), own_tasks + others) * self.mean_service(name)
        return ahead


def _limit_exceeded(shares: FairShares, app: str, what: str) -> str:
    return f"{shares.used} {what} in work, {shares.in_use(app)} of them this app's; the limit is {shares.limit}"
