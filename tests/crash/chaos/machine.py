"""How long processes waited for a CPU: what a harness on a crowded machine must not blame on the product."""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path

_EVERY = 0.5
STARVED = 1.0  # seconds that one process waited for a CPU within one attempt


class Machine:
    """Samples the run-queue wait of the processes that `pids` names, until closed; `now` is the run's clock."""

    def __init__(self, pids: Callable[[], Iterable[int]], now: Callable[[], float]) -> None:
        self._pids, self._now = pids, now
        self._times: list[float] = []
        self._waits: list[dict[int, float]] = []  # seconds by process since the sample before
        self._last: dict[int, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._before = list[float]()

    def start(self) -> None:
        self._before = _busy()
        self._task = asyncio.create_task(self._sample())

    def stop(self) -> str:
        """A sentence on how busy the CPUs were."""
        if self._task is not None:
            self._task.cancel()
        idle, total = (after - before for after, before in zip(_busy(), self._before, strict=True))
        longest = max((max(waits.values(), default=0.0) for waits in self._waits), default=0.0)
        return (
            f"CPUs {1 - idle / max(total, 1.0):.0%} busy; the longest that a process waited for one within "
            f"{_EVERY:g} s: {longest:.2f} s"
        )

    def starved(self, begun: float, ended: float) -> bool:
        """Whether some process waited STARVED seconds for a CPU between the two moments."""
        total: dict[int, float] = {}
        for waits in self._waits[bisect_left(self._times, begun) : bisect_right(self._times, ended + _EVERY)]:
            for pid, seconds in waits.items():
                total[pid] = total.get(pid, 0.0) + seconds
        return max(total.values(), default=0.0) >= STARVED

    async def _sample(self) -> None:
        while True:
            begun = time.monotonic()
            seen = {pid: wait for pid in self._pids() if (wait := _waited(pid)) is not None}
            self._times.append(self._now())
            self._waits.append({pid: wait - self._last.get(pid, wait) for pid, wait in seen.items()})
            self._last = seen
            await asyncio.sleep(max(0.0, begun + _EVERY - time.monotonic()))


def children(pid: int) -> list[int]:
    """A process's children; none for one that has ended."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _waited(pid: int) -> float | None:
    """Seconds that a process's first thread has been ready to run and did not."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return None


def _busy() -> list[float]:
    """Idle and total ticks of all CPUs together."""
    ticks = [float(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return [ticks[3] + ticks[4], sum(ticks)]
