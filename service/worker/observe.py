"""What worker processes tell over their control sockets, as metrics of the process that supervises them."""

from __future__ import annotations

from inkgate.service.broker.interface import Outcome
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker.supervisor import Event

_ENGINE = ("engine", "model", "device")


class FleetMetrics:
    """Hears a supervisor's events. The workers themselves keep no metrics and load no library for them.

    A worker may be of another release than its supervisor: what is only additional in an event may be missing.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ready: set[int] = set()
        self._leaving: set[int] = set()
        self._engines: dict[int, dict[str, str]] = {}

    def __call__(self, slot: int, event: Event) -> None:
        match event["kind"]:
            case "ready":
                self._ready.add(slot)
                self._engines[slot] = {name: str(event["engine"].get(name, "")) for name in _ENGINE}
                self._metrics.model(**self._engines[slot], profile=event.get("profile", ""))
            case "done":
                self._done(slot, event)
            case "leaving":
                self._leaving.add(slot)
                reason = event.get("reason", "stop")
                self._metrics.recycled("drain" if reason == "stop" else reason)
            case "malformed":
                self._metrics.malformed(str(event["message"]))
            case "task failed":
                self._metrics.background_restarted(str(event["task"]))
            case "gone":
                self._ready.discard(slot)
                if slot not in self._leaving and event["status"] != 0:
                    self._metrics.recycled("crash")
                self._leaving.discard(slot)
        self._metrics.worker_ready(len(self._ready))
        if "rss_mib" in event:
            self._metrics.worker_memory(slot, int(event["rss_mib"] * 2**20))

    def _done(self, slot: int, event: Event) -> None:
        self._metrics.image(event["capability"], event["outcome"])
        self._metrics.inference(**self._engines[slot], seconds=event.get("stages", {}).get("infer", 0.0))
        self._metrics.batch(event.get("in_hand", 1))
        if event.get("lines") is not None:
            self._metrics.lines(event["capability"], event["lines"])
        if event.get("delivery", 1) > 1:
            self._metrics.reclaimed()
            if event["outcome"] == Outcome.FAILED:
                self._metrics.poison()
