"""All metrics of InkGate, recorded through typed methods.

One `Metrics` object per process, each with its own registry. Base units (seconds, bytes), `_total` on counters, and no
label whose values a client can choose: capability and outcome are from fixed sets, codes and reasons from tables and
limited in number. Call ids are never labels; account ids only for the gauges of accounts that an operator configures.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from inkgate.service.telemetry.merge import GaugeAggregation, MetricsFold, Snapshot, families_of, without_created

UNKNOWN = "none"  # the label of a request without a known capability
OTHER = "other"
MOST_CAPABILITIES = 64  # label values where a process was given no names
_MESSAGES = ("task", "reply", "event")

RequestOutcome = Literal[
    "success", "partial", "client_error", "refused", "limited", "overloaded", "failed", "cancelled", "slow_body"
]
"""The outcome of a request: all images read, some images read, request fault, refused, rate limited, overloaded,
internal error, client disconnected, body too slow."""

Stage = Literal["auth", "unseal", "parse", "queue", "infer", "settle", "seal", "total"]
Part = Literal["serve", "gateway", "worker", "console"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BYTES = tuple(float(1024 * 4**step) for step in range(1, 10))  # 4 KiB to 256 MiB
_LINES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


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


class Metrics:
    """The metrics of one process. Methods are cheap, thread-safe and never raise on an unknown label value.

    `capabilities` are the values that the label `capability` may have, and every other name becomes "none"; without
    them the first MOST_CAPABILITIES names that come are taken.
    """

    def __init__(
        self, part: Part, version: str, *, capabilities: Collection[str] | None = None, inflight_limit_bytes: int = 0
    ) -> None:
        self._capabilities = None if capabilities is None else frozenset(capabilities)
        self._any_capability = _LabelLimit(MOST_CAPABILITIES)
        self.registry = CollectorRegistry()
        self.catalogue: list[MetricDoc] = []
        self.gauge_folds: dict[str, GaugeAggregation] = {}
        self._code, self._reason, self._account, self._task = (
            _LabelLimit(128),
            _LabelLimit(32),
            _LabelLimit(1000),
            _LabelLimit(256),
        )
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

    def _capability(self, name: str | None) -> str:
        if not name:
            return UNKNOWN
        if self._capabilities is None:
            return self._any_capability(name)
        return name if name in self._capabilities else UNKNOWN

    # --- requests (gateway) -------------------------------------------------------------------------------------

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
            _SECONDS,
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
        self._requests.labels(name, outcome, self._code(code)).inc()
        self._duration.labels(name, "total").observe(seconds)

    def stage(self, capability: str | None, stage: Stage, seconds: float) -> None:
        """Record the seconds of one stage of a request."""
        self._duration.labels(self._capability(capability), stage).observe(seconds)

    def body(self, capability: str | None, size: int) -> None:
        """Record the size of a request body in bytes."""
        self._body.labels(self._capability(capability)).observe(size)

    def image(self, capability: str, outcome: str) -> None:
        """Count one image: "read", "rejected" (its checks), "decode", "failed", "expired" (broker outcomes)."""
        self._images.labels(self._capability(capability), self._reason(outcome)).inc()

    def rejected(self, reason: str) -> None:
        """Count a refused request: "signature", "rate", "bytes", "tasks", "deadline", "too_large", "pack" …"""
        self._rejected.labels(self._reason(reason)).inc()

    def replayed(self, capability: str) -> None:
        """Count a replayed answer (charged but not delivered before)."""
        self._replayed.labels(self._capability(capability)).inc()

    def inflight(self, size: int) -> None:
        """Set the body bytes in progress in this process."""
        self._inflight.set(size)

    # --- queue (gateway reads it, workers count what they reclaim) ----------------------------------------------

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

    # --- engine (worker) ----------------------------------------------------------------------------------------

    def _make_engine(self) -> None:
        self._inference = self._histogram(
            "inference_duration_seconds",
            "Seconds in the engine for one image.",
            ("engine", "model", "device"),
            _SECONDS,
        )
        self._lines = self._histogram("image_lines", "Text lines found in one image.", ("capability",), _LINES)
        self._batch = self._histogram("batch_size", "Images that a worker had in hand together.", (), _BATCH)
        self._recycles = self._counter("worker_recycles_total", "Worker processes that left, by reason.", ("reason",))
        self._rss = self._gauge("worker_resident_bytes", "Memory of each worker process.", ("process",))
        self._ready = self._gauge("worker_ready", "Worker processes that are warm and hold a lease.", fold="sum")
        self._model = self._gauge(
            "model_info", "The models in use; always 1.", ("engine", "model", "device", "profile")
        )

    def inference(self, engine: str, model: str, device: str, seconds: float) -> None:
        """Record the engine's time for one image. Labels as in inkgate.engines.types.EngineInfo."""
        self._inference.labels(engine, model, device).observe(seconds)

    def lines(self, capability: str, count: int) -> None:
        """Record the number of text lines in one image."""
        self._lines.labels(self._capability(capability)).observe(count)

    def batch(self, size: int) -> None:
        """Record how many images a worker had in progress when it finished one of them."""
        self._batch.observe(size)

    def recycled(self, reason: str) -> None:
        """Count a worker that exited, by reason: "images", "memory", "crash", "poison", "hung", "drain"."""
        self._recycles.labels(self._reason(reason)).inc()

    def worker_memory(self, process: int, resident: int) -> None:
        """Set the resident bytes of worker process number `process` (its slot, 0 …, not its pid)."""
        self._rss.labels(str(process)).set(resident)

    def worker_ready(self, count: int) -> None:
        """Set how many worker processes of this parent are warm and connected."""
        self._ready.set(count)

    def model(self, engine: str, model: str, device: str, profile: str) -> None:
        """Set the loaded models. Labels as in inkgate.engines.types.EngineInfo."""
        self._model.labels(engine, model, device, profile).set(1)

    # --- ledger (gateway) ---------------------------------------------------------------------------------------

    def _make_ledger(self) -> None:
        self._units = self._counter("units_settled_total", "Units deducted.", ("capability",))
        self._settle_batch = self._histogram("settle_batch_size", "Calls settled in one transaction.", (), _BATCH)
        self._settle_time = self._histogram(
            "settle_duration_seconds", "Seconds one settling transaction took.", (), _SECONDS
        )
        self._settle_faults = self._counter("settle_failures_total", "Settling transactions that failed.", ("reason",))
        self._drift = self._gauge("metering_drift_units", "Units by which packs and records disagree; 0 is right.")
        self._checked = self._gauge("metering_checked_timestamp_seconds", "When packs and records were last compared.")
        self._backlog = self._gauge("metering_unread_lines", "Ledger lines that were not compared with packs yet.")
        pack = ("account", "capability")
        self._remaining = self._gauge("pack_remaining_units", "Units left in valid packs, for watched accounts.", pack)
        self._bought = self._gauge("pack_total_units", "Size of the valid packs, for watched accounts.", pack)
        self._expiry = self._gauge("pack_expiry_timestamp_seconds", "End of the last valid pack, if watched.", pack)

    def settled(self, capability: str, units: int) -> None:
        """Count the units of one call, after its settlement is committed."""
        self._units.labels(self._capability(capability)).inc(units)

    def settle_batch(self, calls: int, seconds: float) -> None:
        """Record one committed settling transaction: number of calls and seconds."""
        self._settle_batch.observe(calls)
        self._settle_time.observe(seconds)

    def settle_failed(self, reason: str) -> None:
        """Count a settling transaction that did not commit: "timeout", "connection", "conflict", "pack", "clock"."""
        self._settle_faults.labels(self._reason(reason)).inc()

    def drift(self, units: int, checked_at: float, backlog: int = 0) -> None:
        """Set the result of the reconciliation: the sum of |pack.used - recorded|, the time of the last complete
        comparison (Unix seconds), and the number of lines not compared yet."""
        self._drift.set(units)
        self._checked.set(checked_at)
        self._backlog.set(backlog)

    def pack(self, account: str, capability: str, remaining: int, total: int, expires_at: float) -> None:
        """Set the balance of a watched account; `expires_at` (Unix seconds) is the end of its last valid pack."""
        labels = (self._account(account), self._capability(capability))
        self._remaining.labels(*labels).set(remaining)
        self._bought.labels(*labels).set(total)
        self._expiry.labels(*labels).set(expires_at)

    # --- takeover (gateway) -------------------------------------------------------------------------------------

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
            _SECONDS,
        )
        self._shadow = self._counter(
            "takeover_shadow_total", "Mirrored calls, by how their reading here ended.", ("capability", "result")
        )
        self._shadow_time = self._histogram(
            "takeover_shadow_seconds", "Seconds that reading a mirrored call took here.", ("capability",), _SECONDS
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

    # --- dependencies -------------------------------------------------------------------------------------------

    def _make_dependencies(self) -> None:
        self._up = self._gauge("dependency_up", "1 when its last check was answered.", ("dependency",), fold="min")
        self._pool = self._gauge(
            "dependency_connections", "Connections of a pool, by state.", ("dependency", "state"), fold="sum"
        )
        self._skew = self._gauge("clock_skew_seconds", "Its clock minus ours.", ("dependency",))
        self._suspect = self._gauge(
            "clock_suspect", "1 while no time of the database is believed, and so nothing is settled."
        )
        self._clock_refusals = self._counter(
            "clock_refusals_total", "Calls and settlements refused because the time cannot be right.", ("reason",)
        )
        for reason in ("database", "own", "meter"):  # from 0 on, so that increase() shows the first one too
            self._clock_refusals.labels(reason)
        self._cert = self._gauge("certificate_expiry_timestamp_seconds", "When a watched certificate ends.", ("file",))

    def dependency(self, name: str, up: bool) -> None:
        """Set whether "database" or "redis" answered."""
        self._up.labels(name).set(1 if up else 0)

    def pool(self, name: str, in_use: int, idle: int, waiting: int = 0) -> None:
        """Set the connections of a pool."""
        for state, count in (("in_use", in_use), ("idle", idle), ("waiting", waiting)):
            self._pool.labels(name, state).set(count)

    def clock_skew(self, dependency: str, seconds: float) -> None:
        """Set how many seconds another clock (the database's) is ahead of this host's."""
        self._skew.labels(dependency).set(seconds)

    def clock_suspect(self, suspect: bool) -> None:
        """Set whether the database's clock is implausible."""
        self._suspect.set(1 if suspect else 0)

    def clock_refused(self, reason: str) -> None:
        """Count a refusal by the clock: "database", "own" or "meter" (errors.ClockSuspect)."""
        self._clock_refusals.labels(self._reason(reason)).inc()

    def certificate(self, file: str, expires_at: float) -> None:
        """Set the expiry of a certificate (Unix seconds). `file` is a name from the settings."""
        self._cert.labels(file).set(expires_at)

    # --- background tasks and messages --------------------------------------------------------------------------

    def _make_background(self) -> None:
        task = ("task",)
        self._task_up = self._gauge(
            "background_task_up", "0 while a background task has failed and not yet run again.", task, fold="min"
        )
        self._task_restarts = self._counter(
            "background_task_restarts_total", "Background tasks that failed and were started again.", task
        )
        self._malformed = self._counter(
            "malformed_messages_total", "Messages between our processes that could not be understood.", ("kind",)
        )
        for kind in _MESSAGES:  # from 0 on, so that an increase shows the first one too
            self._malformed.labels(self._reason(kind))

    def background_up(self, task: str, up: bool) -> None:
        """Set whether a background task runs (see inkgate.service.background)."""
        self._task_up.labels(self._task(task)).set(1 if up else 0)
        self._task_restarts.labels(self._task(task))  # from 0 on, so that an increase shows the first one too

    def background_restarted(self, task: str) -> None:
        """Count a restart of a background task."""
        self._task_restarts.labels(self._task(task)).inc()

    def malformed(self, kind: str) -> None:
        """Count a malformed message: a "task" or "reply" of the broker, an "event" of a child process."""
        self._malformed.labels(self._reason(kind)).inc()

    # --- notices (gateway) ----------------------------------------------------------------------------------------

    def _make_notices(self) -> None:
        self._notices = self._counter(
            "notices_total",
            "Attempts to send a notice, by outcome: sent, retried (it failed and is tried again), failed (given up).",
            ("kind", "channel", "outcome"),
        )
        self._notice_age = self._gauge("notices_oldest_age_seconds", "Age of the notice that has waited longest.")

    def notice(self, kind: str, channel: str, outcome: str) -> None:
        """Count an attempt to send a notice."""
        self._notices.labels(self._reason(kind), self._reason(channel), self._reason(outcome)).inc()

    def notice_age(self, seconds: float) -> None:
        """Set the age of the oldest waiting notice."""
        self._notice_age.set(seconds)

    # --- comparison of mirrored calls (gateway) -----------------------------------------------------------------

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

    # --- reading ------------------------------------------------------------------------------------------------

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page for /metrics and its Content-Type, in the format that the Accept header prefers."""
        encoder, content_type = choose_encoder(accept)
        return encoder(_View(self)), content_type

    def snapshot(self) -> Snapshot:
        """This process's own values as plain lists, for its parent (see merge.MetricsFold)."""
        return families_of(without_created(self.registry.collect()))

    # --- making -------------------------------------------------------------------------------------------------

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


class _View(Collector):
    """The registry as exported: merged with the children, without `_created` samples, which double the series."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self):  # type: ignore[no-untyped-def]  # the base class is untyped
        yield from self._metrics.children.merged(without_created(self._metrics.registry.collect()))
