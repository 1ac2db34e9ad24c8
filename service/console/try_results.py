"""Results of the try page for repeats of its form, in the memory of the process that made the call (ADR 0087)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

KEPT_SECONDS = 300.0  # longer than a browser repeats a request whose answer was lost
MAX_RESULTS = 64
MAX_BYTES = 16 * 1024 * 1024  # of all results


class TryResults:
    """Form key → result as bytes, for KEPT_SECONDS; of more than MAX_RESULTS or MAX_BYTES the oldest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, asyncio.TimerHandle]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> bytes | None:
        kept = self._kept.get(key)
        return kept[0] if kept else None

    def keep(self, key: str, result: bytes) -> None:
        """Keep a result, unless it is larger than MAX_BYTES itself. Needs a running event loop."""
        self._drop(key)
        if len(result) > MAX_BYTES:
            return
        while len(self._kept) >= MAX_RESULTS or self._bytes + len(result) > MAX_BYTES:
            self._drop(next(iter(self._kept)))
        timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, key)
        self._kept[key] = (result, timer)
        self._bytes += len(result)

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept[0])
            kept[1].cancel()
