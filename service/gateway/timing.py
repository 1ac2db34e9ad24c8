"""Seconds per stage of one call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping


class Stopwatch:
    """Collects seconds per stage; repeated stages add up."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.stages: dict[str, float] = {}

    def stage(self, name: str) -> _Stage:
        """Add the time of a `with` block to a stage."""
        return _Stage(self.stages, name)

    def merge_slowest(self, stages: Iterable[Mapping[str, float]]) -> None:
        """Add the workers' stages: per stage the maximum over the images, since they are processed in parallel."""
        for mapping in stages:
            for name, seconds in mapping.items():
                self.stages[name] = max(self.stages.get(name, 0.0), seconds)

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def elapsed_ms(self) -> int:
        return round(self.elapsed() * 1000)


class _Stage:
    """A class, not a generator: a call has eight of these blocks."""

    __slots__ = ("_begin", "_name", "_stages")

    def __init__(self, stages: dict[str, float], name: str) -> None:
        self._stages, self._name = stages, name

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        self._stages[self._name] = self._stages.get(self._name, 0.0) + time.perf_counter() - self._begin
