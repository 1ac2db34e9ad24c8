"""Merges the metrics of child processes into those of their parent.

A parent of worker or gateway processes answers /metrics for all of them. Each child sends its `Metrics.snapshot()`
(plain lists) every few seconds and once before it exits. Counters and histograms are summed, including those of exited
children, so that they never decrease; gauges of an exited child are removed. The usual multiprocess mode of
prometheus_client is not used: its folder of mmap files must be cleared by hand and grows with every restarted process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, Literal

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

GaugeAggregation = Literal["sum", "max", "min"]
Key = tuple[str, tuple[tuple[str, str], ...]]

Samples = list[tuple[str, dict[str, str], float]]
Snapshot = list[tuple[str, str, Samples]]
"""Families as (name, type, samples), samples as (name, labels, value)."""

_ADDS_UP = ("counter", "histogram", "summary")


def without_created(families: Iterable[Metric]) -> Iterator[Metric]:
    """The same families without their `_created` samples."""
    for family in families:
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield family


def families_of(families: Iterable[Metric]) -> Snapshot:
    """The InkGate families as JSON-serialisable lists, without process_* and python_*."""
    return [
        (f.name, f.type, [(s.name, dict(s.labels), s.value) for s in f.samples])
        for f in families
        if f.name.startswith("inkgate_")
    ]


def snapshot_from(families: object) -> Snapshot:
    """Validate a snapshot decoded from JSON. Malformed families and samples are ignored, for example those of another
    release: one child must not break the scrape of all."""
    return [
        (family[0], family[1], [_sample(each) for each in family[2] if _is_sample(each)])
        for family in (families if isinstance(families, list) else ())
        if isinstance(family, list)
        and len(family) >= 3
        and isinstance(family[0], str)
        and isinstance(family[1], str)
        and isinstance(family[2], list)
    ]


def _is_sample(sample: object) -> bool:
    return (
        isinstance(sample, list)
        and len(sample) >= 3
        and isinstance(sample[0], str)
        and isinstance(sample[1], dict)
        and all(isinstance(value, str) for value in sample[1].values())
        and isinstance(sample[2], int | float)
        and not isinstance(sample[2], bool)
    )


def _sample(sample: list[Any]) -> tuple[str, dict[str, str], float]:
    return sample[0], sample[1], sample[2]


class MetricsFold:
    """The latest snapshot of every live child and the sums of exited ones. Thread-safe."""

    def __init__(self, gauge_folds: dict[str, GaugeAggregation]) -> None:
        self._gauge_folds = gauge_folds
        self._live: dict[str, Snapshot] = {}
        self._gone: dict[str, dict[Key, float]] = {}  # family: sums
        self._lock = Lock()

    def update(self, child: str, snapshot: Snapshot) -> None:
        """Store the latest snapshot of `child`, a name unique among the processes of this parent: its pid."""
        with self._lock:
            self._live[child] = snapshot

    def remove_child(self, child: str) -> None:
        """To be called when a child has exited: its counts stay, its gauges are removed."""
        with self._lock:
            for name, kind, samples in self._live.pop(child, []):
                if kind in _ADDS_UP:
                    _add(self._gone.setdefault(name, {}), samples)

    def merged(self, own: Iterable[Metric]) -> Iterator[Metric]:
        """The `own` families merged with those of all children."""
        with self._lock:
            live, gone = list(self._live.values()), {name: dict(sums) for name, sums in self._gone.items()}
        if not live and not gone:
            yield from own
            return
        by_name: dict[str, list[Samples]] = {}
        for snapshot in live:
            for name, _kind, samples in snapshot:
                by_name.setdefault(name, []).append(samples)
        for family in own:
            values, parts = gone.get(family.name, {}), by_name.get(family.name, [])
            if values or parts:
                self._fold(family, values, parts)
            yield family

    def _fold(self, family: Metric, values: dict[Key, float], parts: list[Samples]) -> None:
        own = [(s.name, dict(s.labels), s.value) for s in family.samples]
        if family.type in _ADDS_UP:
            for samples in (own, *parts):
                _add(values, samples)
        else:
            fold = self._gauge_folds.get(family.name, "max")
            for samples in (own, *parts):
                _combine(values, samples, fold)
        family.samples = [Sample(name, dict(labels), value) for (name, labels), value in values.items()]


def _key(name: str, labels: dict[str, str]) -> Key:
    return name, tuple(labels.items())


def _add(values: dict[Key, float], samples: Samples) -> None:
    for name, labels, value in samples:
        key = _key(name, labels)
        values[key] = values.get(key, 0.0) + value


def _combine(values: dict[Key, float], samples: Samples, fold: GaugeAggregation) -> None:
    for name, labels, value in samples:
        key = _key(name, labels)
        if key not in values:
            values[key] = value
        elif fold == "sum":
            values[key] += value
        else:
            values[key] = max(values[key], value) if fold == "max" else min(values[key], value)
