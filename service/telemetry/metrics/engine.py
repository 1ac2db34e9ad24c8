"""Metrics of workers and their engine."""

from __future__ import annotations

from inkgate.service.telemetry.metrics.registry import BATCH, SECONDS, MetricRegistry

_LINES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


class EngineMetrics(MetricRegistry):
    """Workers and their engine."""

    def _make_engine(self) -> None:
        self._inference = self._histogram(
            "inference_duration_seconds",
            "Seconds in the engine for one image.",
            ("engine", "model", "device"),
            SECONDS,
        )
        self._lines = self._histogram("image_lines", "Text lines found in one image.", ("capability",), _LINES)
        self._batch = self._histogram("batch_size", "Images that a worker had in hand together.", (), BATCH)
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
