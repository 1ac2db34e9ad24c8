"""The registry of one process's metrics, and the limits of their labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from inkgate.service.telemetry.merge import GaugeAggregation

M = TypeVar("M", Counter, Histogram)

UNKNOWN = "none"  # the label of a request without a known capability
OTHER = "other"
MOST_CAPABILITIES = 64  # label values where a process was given no names

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass(frozen=True, slots=True)
class MetricDoc:
    """One line of the metrics reference."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


class _LabelLimit:
    """Keeps the first `limit` values of a label and replaces all others by "other"."""

    def __init__(self, limit: int) -> None:
        self._limit, self._seen = limit, set[str]()

    def __call__(self, value: object) -> str:
        text = str(value)
        if text in self._seen:
            return text
        if len(self._seen) >= self._limit:
            return OTHER
        self._seen.add(text)
        return text


class MetricRegistry:
    """Makes metrics and keeps their labels limited. `capabilities`: see `Metrics`."""

    def __init__(self, capabilities: Collection[str] | None) -> None:
        self._capabilities = None if capabilities is None else frozenset(capabilities)
        self._any_capability = _LabelLimit(MOST_CAPABILITIES)
        self.registry = CollectorRegistry()
        self._known_series: dict[tuple[Any, tuple[str, ...]], Any] = {}
        self.catalogue: list[MetricDoc] = []
        self.gauge_folds: dict[str, GaugeAggregation] = {}
        self._code, self._reason, self._account, self._task = (
            _LabelLimit(128),
            _LabelLimit(32),
            _LabelLimit(1000),
            _LabelLimit(256),
        )

    def _capability(self, name: str | None) -> str:
        if not name:
            return UNKNOWN
        if self._capabilities is None:
            return self._any_capability(name)
        return name if name in self._capabilities else UNKNOWN

    def _series(self, metric: M, *labels: str) -> M:
        """`metric.labels(*labels)`, which checks and converts the labels at each call: a request updates a dozen
        series. Never used for a metric whose series are removed; the labels are limited, so the dictionary is too."""
        key = (metric, labels)
        series: M | None = self._known_series.get(key)
        if series is None:
            series = self._known_series[key] = metric.labels(*labels)
        return series

    def _counter(self, name: str, help_: str, labels: Sequence[str] = ()) -> Counter:
        self._register_doc(name, "counter", labels, help_)
        return Counter(f"inkgate_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, labels: Sequence[str] = (), fold: GaugeAggregation = "max") -> Gauge:
        self._register_doc(name, "gauge", labels, help_)
        self.gauge_folds[f"inkgate_{name}"] = fold
        return Gauge(f"inkgate_{name}", help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, labels: Sequence[str], buckets: Iterable[float]) -> Histogram:
        self._register_doc(name, "histogram", labels, help_)
        return Histogram(f"inkgate_{name}", help_, labels, buckets=tuple(buckets), registry=self.registry)

    def _register_doc(self, name: str, kind: str, labels: Sequence[str], help_: str) -> None:
        self.catalogue.append(MetricDoc(f"inkgate_{name}", kind, tuple(labels), help_))
