"""The end of a process whose engine hangs.

Python cannot interrupt a native call. A timer of the C library ends the process when the engine hangs on a picture
whose caller has long been answered. There is one such timer a process: it is set for the first picture in hand to end.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LEAST = 0.001  # seconds; the timer takes no less


class Watchdog:
    """Threads put their pictures under it; `in_hand` counts those."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[object, float] = {}

    @property
    def in_hand(self) -> int:
        return len(self._ends)

    @contextmanager
    def until(self, end: float) -> Iterator[None]:
        """End the process, with its stacks on stderr, if the block still runs at `end` (Unix time)."""
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
                faulthandler.dump_traceback_later(max(left, _LEAST), exit=True)
            else:
                faulthandler.cancel_dump_traceback_later()
