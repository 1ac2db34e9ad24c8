"""Metrics of requests and of the queue."""

from __future__ import annotations

from typing import Literal, Protocol

from inkgate.service.telemetry.metrics.registry import SECONDS, MetricRegistry

RequestOutcome = Literal[
    "success", "partial", "client_error", "refused", "limited", "overloaded", "failed", "cancelled", "slow_body"
]
"""The outcome of a request: all images read, some images read, request fault, refused, rate limited, overloaded,
internal error, client disconnected, body too slow."""

Stage = Literal["auth", "unseal", "parse", "queue", "infer", "settle", "seal", "total"]

_BYTES = tuple(float(1024 * 4**step) for step in range(1, 10))  # 4 KiB to 256 MiB


class QueueReading(Protocol):
    """The part of `inkgate.service.broker.interface.QueueState` that `Metrics.queue` reads."""

    @property
    def depth(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def oldest_age(self) -> float: ...
    @property
    def workers(self) -> int: ...
    @property
    def held(self) -> int: ...


class RequestMetrics(MetricRegistry):
    """Requests (gateway)."""

    def _make_requests(self) -> None:
        self._requests = self._counter(
            "requests_total",
            "Requests answered, by capability, outcome and statusCode.",
            ("capability", "outcome", "code"),
        )
        self._duration = self._histogram(
            "request_duration_seconds",
            "Seconds a request spent in each stage; `total` is the whole way.",
            ("capability", "stage"),
            SECONDS,
        )
        self._body = self._histogram("request_body_bytes", "Size of request bodies.", ("capability",), _BYTES)
        self._images = self._counter("images_total", "Images, by how their reading ended.", ("capability", "outcome"))
        self._rejected = self._counter("rejected_total", "Requests turned away before any work.", ("reason",))
        self._replayed = self._counter("replayed_answers_total", "Paid answers sent again, free.", ("capability",))
        self._inflight = self._gauge("inflight_bytes", "Body bytes in work.", fold="sum")
        self._inflight_limit = self._gauge("inflight_limit_bytes", "Body bytes that may be in work.", fold="sum")

    def request(self, capability: str | None, outcome: RequestOutcome, code: int | str, seconds: float) -> None:
        """Count one finished request. `code` is the statusCode sent, `seconds` from first byte read to last sent."""
        name = self._capability(capability)
        self._series(self._requests, name, outcome, self._code(code)).inc()
        self._series(self._duration, name, "total").observe(seconds)

    def stage(self, capability: str | None, stage: Stage, seconds: float) -> None:
        """Record the seconds of one stage of a request."""
        self._series(self._duration, self._capability(capability), stage).observe(seconds)

    def body(self, capability: str | None, size: int) -> None:
        """Record the size of a request body in bytes."""
        self._series(self._body, self._capability(capability)).observe(size)

    def image(self, capability: str, outcome: str) -> None:
        """Count one image: "read", "rejected" (its checks), "decode", "failed", "expired" (broker outcomes)."""
        self._series(self._images, self._capability(capability), self._reason(outcome)).inc()

    def rejected(self, reason: str) -> None:
        """Count a refused request: "signature", "rate", "bytes", "tasks", "deadline", "too_large", "pack" …"""
        self._rejected.labels(self._reason(reason)).inc()

    def replayed(self, capability: str) -> None:
        """Count a replayed answer (charged but not delivered before)."""
        self._replayed.labels(self._capability(capability)).inc()

    def inflight(self, size: int) -> None:
        """Set the body bytes in progress in this process."""
        self._inflight.set(size)


class QueueMetrics(MetricRegistry):
    """The queue: gateways read it, workers count what they reclaim."""

    def _make_queue(self) -> None:
        self._depth = self._gauge("queue_depth", "Images waiting for a worker.")
        self._oldest = self._gauge("queue_oldest_age_seconds", "Age of the image that waits longest.")
        self._in_flight = self._gauge("tasks_in_flight", "Images that workers hold.")
        self._workers = self._gauge("workers_live", "Worker processes with a fresh lease.")
        self._held = self._gauge("apps_held_off", "Apps held off because their images killed workers.")
        self._reclaimed = self._counter("tasks_reclaimed_total", "Images taken over from a worker that died.")
        self._poison = self._counter("poison_images_total", "Images set aside because they killed a worker.")

    def queue(self, state: QueueReading) -> None:
        """Set the queue's gauges. They describe the whole queue: aggregate over gateways with max, not sum."""
        self._depth.set(state.depth)
        self._in_flight.set(state.in_flight)
        self._oldest.set(state.oldest_age)
        self._workers.set(state.workers)
        self._held.set(state.held)

    def reclaimed(self, count: int = 1) -> None:
        """Count tasks reclaimed from a dead worker."""
        self._reclaimed.inc(count)

    def poison(self, count: int = 1) -> None:
        """Count poison images."""
        self._poison.inc(count)
