"""Work of many threads done together, for a device that gains from large batches.

Nobody waits for company: whoever finds the device free goes ahead with all that is there. What comes meanwhile gathers,
and goes together next. So a lone picture is read at once, and under load batches fill by themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Job(Generic[Item, Result]):
    """What one caller wants done, and what came of it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: list[Result] | None = None
        self.error: Exception | None = None


class Pool(Generic[Item, Result]):
    """Calls `run` with the items of all callers that wait; it gives one result an item, in order.

    No more jobs wait than there are callers, and `run` is never entered twice at a time.
    """

    def __init__(self, run: Callable[[list[Item]], list[Result]]) -> None:
        self._run = run
        self._device = threading.Lock()
        self._door = threading.Lock()
        self._waiting: list[_Job[Item, Result]] = []

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """Results of the caller's own items. Raises what `run` raises on them, never what others' items cause."""
        if not items:
            return []
        job = _Job[Item, Result](items)
        with self._door:
            self._waiting.append(job)
        with self._device:
            if job.results is None and job.error is None:  # nobody took it along while we waited for the device
                with self._door:
                    taken, self._waiting = self._waiting, []
                self._serve(taken)
        if job.error is not None:
            raise job.error
        assert job.results is not None
        return job.results

    def _serve(self, jobs: list[_Job[Item, Result]]) -> None:
        """Run all jobs together; when that fails each one alone, so that only the culprit fails."""
        try:
            results = self._run([item for job in jobs for item in job.items])
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = error
                return
            for job in jobs:
                self._serve([job])
            return
        at = 0
        for job in jobs:
            job.results = results[at : at + len(job.items)]
            at += len(job.items)
