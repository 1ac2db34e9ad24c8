"""Traces: W3C trace ids always (for the logs), spans over OpenTelemetry only when an endpoint is configured.

    with tracing.span("settle", capability="general"):
        ...
    header = tracing.traceparent()                       # sent with the task through the queue
    with tracing.span("infer", parent=task.trace): ...   # in the worker

OpenTelemetry is an extra (`pip install inkgate[otel]`) and is imported only when enabled.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from inkgate.service.errors import ConfigurationError
from inkgate.service.telemetry import logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$")
_CURRENT: ContextVar[str] = ContextVar("inkgate_traceparent")


def trace_id(traceparent: str) -> str:
    """The trace id (32 hex digits) of a W3C traceparent, "" when it is invalid."""
    match = _TRACEPARENT.match(traceparent)
    return match.group(1) if match else ""


class Tracing:
    """Creates spans; without a provider only trace ids, at almost no cost."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None

    @classmethod
    def over_otlp(cls, endpoint: str, part: str, version: str, ratio: float = 1.0) -> Tracing:
        """Export spans over OTLP/HTTP to `endpoint` (…/v1/traces), with sampling `ratio` for traces started here.

        Raises ConfigurationError when the extra is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        except ImportError:
            raise ConfigurationError(
                "INKGATE_TELEMETRY__TRACES_ENDPOINT",
                "OpenTelemetry is not installed",
                "Install the extra with pip install 'inkgate[otel]', or leave the setting empty.",
            ) from None
        resource = Resource.create({"service.name": f"inkgate-{part}", "service.version": version})
        provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
        return cls.over(provider)

    @classmethod
    def configured(cls, endpoint: str, part: str, version: str, ratio: float) -> Tracing:
        """By the settings: exported when `endpoint` is set, otherwise trace ids for the logs only."""
        return cls.over_otlp(endpoint, part, version, ratio) if endpoint else cls()

    @classmethod
    def over(cls, provider: TracerProvider) -> Tracing:
        """Use the given OpenTelemetry provider."""
        tracing = cls()
        tracing._provider = provider
        return tracing

    @contextmanager
    def span(self, name: str, *, parent: str = "", **attributes: Any) -> Iterator[None]:
        """A span for the block, child of `parent` (a traceparent) or of the current span, else the root of a new trace.

        Log lines inside have its trace id. An invalid `parent` is ignored.
        """
        parent = parent if trace_id(parent) else _CURRENT.get("")
        if self._provider is None:
            yield from self._bound(parent or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00")
            return
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        propagator = TraceContextTextMapPropagator()
        context = propagator.extract({"traceparent": parent}) if parent else None
        tracer = self._provider.get_tracer("inkgate")
        cleaned = {f"inkgate.{key}": logs.redact(key, value) for key, value in attributes.items()}
        with tracer.start_as_current_span(name, context=context, attributes=cleaned):
            carrier: dict[str, str] = {}
            propagator.inject(carrier)
            yield from self._bound(carrier["traceparent"])

    def _bound(self, traceparent: str) -> Iterator[None]:
        token = _CURRENT.set(traceparent)
        try:
            with logs.log_fields(trace_id=trace_id(traceparent)):
                yield
        finally:
            _CURRENT.reset(token)

    def traceparent(self) -> str:
        """The W3C traceparent of the current span, for propagation; "" outside any span."""
        return _CURRENT.get("")

    def close(self) -> None:
        """Flush pending spans, for at most five seconds, and shut down."""
        if self._provider is not None:
            self._provider.force_flush(5000)
            self._provider.shutdown()
