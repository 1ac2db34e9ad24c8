"""Metrics of calls that the cloud answers, and of the comparison with it."""

from __future__ import annotations

from inkgate.service.telemetry.metrics.registry import SECONDS, MetricRegistry


class TakeoverMetrics(MetricRegistry):
    """Calls sent on to the cloud, and mirrored ones (gateway)."""

    def _make_takeover(self) -> None:
        self._forwarded = self._counter(
            "takeover_calls_total",
            "Calls sent on to the cloud, by route and outcome; they use no unit here.",
            ("capability", "route", "outcome"),
        )
        self._upstream_time = self._histogram(
            "takeover_upstream_seconds",
            "Seconds from sending a call on to the cloud's whole answer.",
            ("capability",),
            SECONDS,
        )
        self._shadow = self._counter(
            "takeover_shadow_total", "Mirrored calls, by how their reading here ended.", ("capability", "result")
        )
        self._shadow_time = self._histogram(
            "takeover_shadow_seconds", "Seconds that reading a mirrored call took here.", ("capability",), SECONDS
        )
        self._shadow_waiting = self._gauge(
            "takeover_shadow_waiting", "Mirrored calls that wait for a worker.", fold="sum"
        )
        self._routes_read = self._gauge(
            "takeover_routes_read_timestamp_seconds", "When the routes were last read from the database.", fold="min"
        )

    def forwarded(self, capability: str, route: str, outcome: str, seconds: float) -> None:
        """Count a call sent on to the cloud. `route`: "mirror", "split", "fallback"; `outcome`: "answered", "failed",
        "timed_out", "overloaded", "cancelled"."""
        name = self._capability(capability)
        self._forwarded.labels(name, self._reason(route), self._reason(outcome)).inc()
        self._upstream_time.labels(name).observe(seconds)

    def shadow(self, capability: str, result: str, seconds: float | None = None) -> None:
        """Count a mirrored call: "read", "sealed", "shed" or "failed"; `seconds` that reading took."""
        self._shadow.labels(self._capability(capability), self._reason(result)).inc()
        if seconds is not None:
            self._shadow_time.labels(self._capability(capability)).observe(seconds)

    def shadow_waiting(self, calls: int) -> None:
        """Set the number of mirrored calls that wait in this process."""
        self._shadow_waiting.set(calls)

    def routes_read(self, at: float) -> None:
        """Set when this process last read the routes (Unix seconds)."""
        self._routes_read.set(at)


class ComparisonMetrics(MetricRegistry):
    """The comparison of mirrored calls (gateway)."""

    def _make_observations(self) -> None:
        self._observed = self._counter(
            "takeover_observations_total", "Mirrored calls of which figures were kept, by result.", ("result",)
        )
        self._unobserved = self._counter(
            "takeover_observations_dropped_total", "Mirrored calls or sums of them that were not kept.", ("reason",)
        )

    def takeover_observed(self, result: str) -> None:
        """Count an observed call: "compared", "unreadable" (an answer is not the contract's JSON), "skipped" (not read
        here), "failed" (no successful answer on one side)."""
        self._observed.labels(self._reason(result)).inc()

    def takeover_dropped(self, reason: str, count: int = 1) -> None:
        """Count what was not kept: a call by "queue" (no room) or "error", sums by "figures" (no room)."""
        self._unobserved.labels(self._reason(reason)).inc(count)
