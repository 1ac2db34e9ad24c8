"""Watchdog: ends a process whose engine hangs.

Python cannot interrupt a native call, so a timer of faulthandler (a C thread) ends the process when an image runs past
its deadline. There is one such timer per process; it is set to the earliest deadline.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_MIN_TIMER_SECONDS = 0.001  # faulthandler accepts no shorter time


class Watchdog:
    """Threads register their images; `in_progress` is the number of registered ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[object, float] = {}

    @property
    def in_progress(self) -> int:
        return len(self._ends)

    @contextmanager
    def deadline(self, end: float) -> Iterator[None]:
        """End the process, with all stack traces on stderr, if the block still runs at `end` (Unix time)."""
        key = object()
        self._set(key, end)
        try:
            yield
        finally:
            self._set(key, None)

    def _set(self, key: object, end: float | None) -> None:
        with self._lock:
            if end is None:
                del self._ends[key]
            else:
                self._ends[key] = end
            if self._ends:
                left = min(self._ends.values()) - time.time()
                faulthandler.dump_traceback_later(max(left, _MIN_TIMER_SECONDS), exit=True)
            else:
                faulthandler.cancel_dump_traceback_later()
