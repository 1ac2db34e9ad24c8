"""Seconds per stage of one call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Collects stage times; a stage entered twice adds up."""

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

    def add_all(self, stages: Iterable[Mapping[str, float]]) -> None:
        """Take over the workers' stages; of several images the slowest counts, since they are read side by side."""
        for mapping in stages:
            for name, seconds in mapping.items():
                self.stages[name] = max(self.stages.get(name, 0.0), seconds)

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def elapsed_ms(self) -> int:
        return round(self.elapsed() * 1000)
