"""Who may enter the queue: bounds on tasks and bytes of this gateway, and a forecast against the call's deadline.

A refusal costs the client one round trip; a call that is let in and times out costs the fleet its work as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from inkgate.service.broker.interface import Task
from inkgate.service.broker.shares import FairShares
from inkgate.service.errors import Overloaded

Waiting = Mapping[str, Mapping[str, int]]
"""Images that wait: capability -> app -> how many."""

_WEIGHT = 0.1  # of the newest sample in the moving mean of service times
_MARGIN = 0.85  # part of the time left that the forecast may fill: service times scatter around their mean
_LONGEST_RETRY = 30
_LARGEST_CALL = 50  # images


class Admission:
    """Counts what is in work and forecasts when a new call would be done. `weights` are those of apps, 1.0 each."""

    def __init__(self, *, max_tasks: int, max_bytes: int, weights: Mapping[str, float] | None = None) -> None:
        self._tasks = FairShares(max_tasks, weights, largest=_LARGEST_CALL)
        self._bytes = FairShares(max_bytes, weights)
        self._service: dict[str, float] = {}

    @property
    def tasks(self) -> int:
        """Images in work."""
        return self._tasks.used

    @property
    def bytes(self) -> int:
        """Bytes of the images in work."""
        return self._bytes.used

    def observe(self, capability: str, seconds: float) -> None:
        """Learn how long a worker took for one image."""
        mean = self._service.get(capability)
        self._service[capability] = seconds if mean is None else mean + _WEIGHT * (seconds - mean)

    def mean_service(self, capability: str) -> float:
        """Seconds a worker takes for one image; 0.0 while nothing is known, which lets calls in."""
        return self._service.get(capability, 0.0)

    def enter(self, tasks: Sequence[Task], waiting: Waiting, workers: int, now: float) -> None:
        """Count the tasks of one call in.

        Raises Overloaded when a bound or the app's share of it is passed, or when the forecast misses the deadline.
        """
        app, size = tasks[0].app, sum(len(task.image) for task in tasks)
        if not self._tasks.may_acquire(app, len(tasks)):
            raise Overloaded(_full(self._tasks, app, "images"))
        if not self._bytes.may_acquire(app, size):
            raise Overloaded(f"{_full(self._bytes, app, 'bytes')}, {size} more are asked for")
        self._forecast(tasks, waiting, workers, now)
        self._tasks.acquire(app, len(tasks))
        self._bytes.acquire(app, size)

    def leave(self, tasks: Sequence[Task]) -> None:
        self._tasks.release(tasks[0].app, len(tasks))
        self._bytes.release(tasks[0].app, sum(len(task.image) for task in tasks))

    def _forecast(self, tasks: Sequence[Task], waiting: Waiting, workers: int, now: float) -> None:
        if not self.tasks:
            return  # an idle gateway always tries: a forecast spoilt by one stall must be able to mend itself
        left = min(task.deadline for task in tasks) - now
        ahead = self._ahead(tasks, waiting)
        own = [self.mean_service(task.capability) for task in tasks]
        # One image cannot be shared among workers: a call takes at least its longest image.
        expected = max((ahead + sum(own)) / max(1, workers), ahead / max(1, workers) + max(own))
        if expected > left * _MARGIN:
            wait = min(_LONGEST_RETRY, max(1, math.ceil(expected - left * _MARGIN)))
            raise Overloaded(f"{expected:.1f} s of work ahead, {left:.1f} s left", retry_after=wait)

    def _ahead(self, tasks: Sequence[Task], waiting: Waiting) -> float:
        """Seconds of work that come before the last of these tasks in fair order, the tasks themselves left out.

        While an app has k images to be read, each other app of the capability gets its weight's worth of turns at most;
        and workers take the capabilities in turn, so each other one gets as many turns as all of ours.
        """
        app, capability = tasks[0].app, tasks[0].capability
        apps = waiting.get(capability, {})
        mine = apps.get(app, 0) + len(tasks)
        per_turn = 1 / self._tasks.weight(app)
        others = sum(
            min(count, mine * per_turn * self._tasks.weight(other)) for other, count in apps.items() if other != app
        )
        ahead = (mine + others - len(tasks)) * self.mean_service(capability)
        for name, lanes in waiting.items():
            if name != capability:
                ahead += min(sum(lanes.values()), mine + others) * self.mean_service(name)
        return ahead


def _full(shares: FairShares, app: str, what: str) -> str:
    return f"{shares.used} {what} in work, {shares.in_use(app)} of them this app's; the limit is {shares.limit}"
