"""Metrics of settlements and of the ledger's housekeeping."""

from __future__ import annotations

from inkgate.service.telemetry.metrics.registry import BATCH, SECONDS, MetricRegistry


class LedgerMetrics(MetricRegistry):
    """The ledger (gateway)."""

    def _make_ledger(self) -> None:
        self._units = self._counter("units_settled_total", "Units deducted.", ("capability",))
        self._settle_batch = self._histogram("settle_batch_size", "Calls settled in one transaction.", (), BATCH)
        self._settle_time = self._histogram(
            "settle_duration_seconds", "Seconds one settling transaction took.", (), SECONDS
        )
        self._settle_faults = self._counter("settle_failures_total", "Settling transactions that failed.", ("reason",))
        self._drift = self._gauge("metering_drift_units", "Units by which packs and records disagree; 0 is right.")
        self._broken = self._gauge(
            "metering_broken_entries", "Old ledger entries found missing or changed when read again; 0 is right."
        )
        self._checked = self._gauge("metering_checked_timestamp_seconds", "When packs and records were last compared.")
        self._backlog = self._gauge("metering_unread_lines", "Ledger lines that were not compared with packs yet.")
        pack = ("account", "capability")
        self._remaining = self._gauge("pack_remaining_units", "Units left in valid packs, for watched accounts.", pack)
        self._bought = self._gauge("pack_total_units", "Size of the valid packs, for watched accounts.", pack)
        self._expiry = self._gauge("pack_expiry_timestamp_seconds", "End of the last valid pack, if watched.", pack)

    def settled(self, capability: str, units: int) -> None:
        """Count the units of one call, after its settlement is committed."""
        self._series(self._units, self._capability(capability)).inc(units)

    def settle_batch(self, calls: int, seconds: float) -> None:
        """Record one committed settling transaction: number of calls and seconds."""
        self._settle_batch.observe(calls)
        self._settle_time.observe(seconds)

    def settle_failed(self, reason: str) -> None:
        """Count a settling transaction that did not commit: "timeout", "connection", "conflict", "pack", "clock"."""
        self._settle_faults.labels(self._reason(reason)).inc()

    def drift(self, units: int, checked_at: float, backlog: int = 0, broken: int = 0) -> None:
        """Set the result of the reconciliation: the sum of |pack.used - recorded|, the time of the last complete
        comparison (Unix seconds), the number of lines not compared yet, and of entries found missing or changed."""
        self._drift.set(units)
        self._broken.set(broken)
        self._checked.set(checked_at)
        self._backlog.set(backlog)

    def pack(self, account: str, capability: str, remaining: int, total: int, expires_at: float) -> None:
        """Set the balance of a watched account; `expires_at` (Unix seconds) is the end of its last valid pack."""
        labels = (self._account(account), self._capability(capability))
        self._remaining.labels(*labels).set(remaining)
        self._bought.labels(*labels).set(total)
        self._expiry.labels(*labels).set(expires_at)
