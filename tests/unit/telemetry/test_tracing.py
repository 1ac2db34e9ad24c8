"""Traces: a trace id for the logs always, spans across the queue with OpenTelemetry."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from inkgate.service.telemetry import logs
from inkgate.service.telemetry.tracing import Tracing, trace_id

FROM_CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_without_opentelemetry_there_is_still_a_trace_id() -> None:
    tracing = Tracing()
    with tracing.span("request"):
        first = tracing.traceparent()
        assert logs.context()["trace_id"] == trace_id(first) != ""
        with tracing.span("settle"):
            assert trace_id(tracing.traceparent()) == trace_id(first)
    assert tracing.traceparent() == ""
    assert logs.context() == {}


@pytest.mark.parametrize("header", ["", "junk", "00-" + "0" * 32 + "-b7ad6b7169203331-01", FROM_CLIENT + "x"])
def test_a_header_that_is_no_traceparent_starts_a_new_trace(header: str) -> None:
    with Tracing().span("request", parent=header):
        assert len(logs.context()["trace_id"]) == 32


def test_a_clients_trace_is_continued() -> None:
    with Tracing().span("request", parent=FROM_CLIENT):
        assert logs.context()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_spans_join_across_the_queue() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    gateway, worker = Tracing.over(provider), Tracing.over(provider)
    with gateway.span("request", parent=FROM_CLIENT, capability="plate", appkey="hunter2"):
        carried = gateway.traceparent()
    with worker.span("infer", parent=carried):
        pass
    request, infer = exporter.get_finished_spans()
    assert format(request.context.trace_id, "032x") == trace_id(FROM_CLIENT)
    assert infer.context.trace_id == request.context.trace_id
    assert infer.parent is not None
    assert infer.parent.span_id == request.context.span_id
    assert dict(request.attributes or {}) == {"inkgate.capability": "plate", "inkgate.appkey": "***"}


def test_an_error_inside_a_span_is_raised_unchanged() -> None:
    with pytest.raises(KeyError), Tracing().span("request"):
        raise KeyError("x")
