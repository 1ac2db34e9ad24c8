"""Metrics of a process: what it depends on, its background tasks, and the notices it sends."""

from __future__ import annotations

from inkgate.service.telemetry.metrics.registry import MetricRegistry

_MESSAGES = ("task", "reply", "event")


class DependencyMetrics(MetricRegistry):
    """Databases, queues, clocks and certificates."""

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


class BackgroundMetrics(MetricRegistry):
    """Background tasks and malformed messages."""

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


class NoticeMetrics(MetricRegistry):
    """Notices (gateway)."""

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
