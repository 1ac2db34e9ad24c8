"""All metrics of InkGate, recorded through typed methods.

One `Metrics` object per process, each with its own registry. Base units (seconds, bytes), `_total` on counters, and no
label whose values a client can choose: capability and outcome are from fixed sets, codes and reasons from tables and
limited in number. Call ids are never labels; account ids only for the gauges of accounts that an operator configures.
"""

from __future__ import annotations

import platform
from collections.abc import Collection
from typing import Literal

from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from inkgate.service.telemetry.merge import MetricsFold, Snapshot, families_of, without_created
from inkgate.service.telemetry.metrics.calls import QueueMetrics, RequestMetrics, RequestOutcome, Stage
from inkgate.service.telemetry.metrics.engine import EngineMetrics
from inkgate.service.telemetry.metrics.ledger import LedgerMetrics
from inkgate.service.telemetry.metrics.processes import BackgroundMetrics, DependencyMetrics, NoticeMetrics
from inkgate.service.telemetry.metrics.registry import OTHER
from inkgate.service.telemetry.metrics.takeover import ComparisonMetrics, TakeoverMetrics

__all__ = ["OTHER", "Metrics", "RequestOutcome", "Stage"]

Part = Literal["serve", "gateway", "worker", "console"]


class Metrics(
    RequestMetrics,
    QueueMetrics,
    EngineMetrics,
    LedgerMetrics,
    TakeoverMetrics,
    DependencyMetrics,
    BackgroundMetrics,
    NoticeMetrics,
    ComparisonMetrics,
):
    """The metrics of one process. Methods are cheap, thread-safe and never raise on an unknown label value.

    `capabilities` are the values that the label `capability` may have, and every other name becomes "none"; without
    them the first MOST_CAPABILITIES names that come are taken.
    """

    def __init__(
        self, part: Part, version: str, *, capabilities: Collection[str] | None = None, inflight_limit_bytes: int = 0
    ) -> None:
        super().__init__(capabilities)
        self._make_requests()
        self._make_queue()
        self._make_engine()
        self._make_ledger()
        self._make_takeover()
        self._make_dependencies()
        self._make_background()
        self._make_notices()
        self._make_observations()
        build = self._gauge("build_info", "What is running; always 1.", ("part", "version", "python"))
        build.labels(part, version, platform.python_version()).set(1)
        self._inflight_limit.set(inflight_limit_bytes)
        self.children = MetricsFold(self.gauge_folds)
        GCCollector(self.registry)
        ProcessCollector(registry=self.registry)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page for /metrics and its Content-Type, in the format that the Accept header prefers."""
        encoder, content_type = choose_encoder(accept)
        return encoder(_View(self)), content_type

    def snapshot(self) -> Snapshot:
        """This process's own values as plain lists, for its parent (see merge.MetricsFold)."""
        return families_of(without_created(self.registry.collect()))


class _View(Collector):
    """The registry as exported: merged with the children, without `_created` samples, which double the series."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self):  # type: ignore[no-untyped-def]  # the base class is untyped
        yield from self._metrics.children.merged(without_created(self._metrics.registry.collect()))
