"""Micro-batching of work of several threads, without a timer.

The thread that acquires the device runs all waiting requests as one batch; requests that arrive meanwhile form the next
batch. A single request never waits, and batches grow with the load.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Request(Generic[Item, Result]):
    """The items of one caller, then their results or error."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: list[Result] | None = None
        self.error: Exception | None = None


class BatchingPool(Generic[Item, Result]):
    """Calls `run` with the items of all waiting callers; it returns one result per item, in order.

    At most one request per caller waits, and calls of `run` never overlap.
    """

    def __init__(self, run: Callable[[list[Item]], list[Result]]) -> None:
        self._run = run
        self._device_lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._waiting: list[_Request[Item, Result]] = []

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """Results of the caller's own items. Raises what `run` raises on them, never what others' items cause."""
        if not items:
            return []
        request = _Request[Item, Result](items)
        with self._queue_lock:
            self._waiting.append(request)
        with self._device_lock:
            if request.results is None and request.error is None:  # not processed by another thread meanwhile
                with self._queue_lock:
                    taken, self._waiting = self._waiting, []
                self._run_requests(taken)
        if request.error is not None:
            raise request.error
        assert request.results is not None
        return request.results

    def _run_requests(self, requests: list[_Request[Item, Result]]) -> None:
        """Run all requests together; on an error each one alone, so that only the faulty one fails."""
        try:
            results = self._run([item for request in requests for item in request.items])
        except Exception as error:
            if len(requests) == 1:
                requests[0].error = error
                return
            for request in requests:
                self._run_requests([request])
            return
        at = 0
        for request in requests:
            request.results = results[at : at + len(request.items)]
            at += len(request.items)
