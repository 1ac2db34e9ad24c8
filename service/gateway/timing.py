"""Seconds per stage of one call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Collects seconds per stage; repeated stages add up."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - begin

    def merge_slowest(self, stages: Iterable[Mapping[str, float]]) -> None:
        """Add the workers' stages: per stage the maximum over the images, since they are processed in parallel."""
        for mapping in stages:
            for name, seconds in mapping.items():
                self.stages[name] = max(self.stages.get(name, 0.0), seconds)

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def elapsed_ms(self) -> int:
        return round(self.elapsed() * 1000)
