"""Metrics and one log line per finished call, never its content."""

from __future__ import annotations

import logging
from typing import cast, get_args

from inkgate.service.errors import WireError
from inkgate.service.gateway.call_record import CallRecord
from inkgate.service.gateway.phases import Forwarded
from inkgate.service.metering.policy import Event
from inkgate.service.telemetry.metrics import Metrics, RequestOutcome, Stage

log = logging.getLogger("inkgate.call")
NOT_DELIVERED = "paid for, not delivered whole; kept for replay"
_IMAGE_OUTCOME = {Event.IMAGE_READ: "read", Event.IMAGE_FAULT: "rejected", Event.INTERNAL_FAULT: "failed"}
_STAGES = frozenset(get_args(Stage))


def report(
    metrics: Metrics, record: CallRecord, status: int, error: WireError | None = None, *, reason: str = ""
) -> None:
    """Record metrics and the log line of a call after its answer was sent.

    `status` is the HTTP status, 499 when the client had disconnected. `error` ended the call before settlement, None
    for a settled call. `reason` is for the log.
    """
    capability = record.capability
    outcome = _outcome(record) if error is None else error.outcome
    metrics.request(capability, outcome, record.code, record.stopwatch.elapsed())
    metrics.body(capability, record.body_bytes)
    for stage, seconds in record.stopwatch.stages.items():
        if stage in _STAGES:
            metrics.stage(capability, cast(Stage, stage), seconds)
    if capability is not None:
        if error is None:
            _count_images(metrics, capability, record)
        if record.replayed:
            metrics.replayed(capability)
    if error is not None and error.rejection is not None:
        metrics.rejected(error.rejection)
    _log(record, status, reason or (str(error) if error else ""))


def report_forwarded(record: CallRecord, forwarded: Forwarded, *, delivered: bool) -> None:
    """Write the log line of a call that the cloud answered. Its metrics are apart from those of calls answered here
    (`inkgate_takeover_…`)."""
    reason = "" if delivered else "the client disconnected before the whole answer"
    _log(record, forwarded.answer.status, reason, route=forwarded.route, cloud_code=forwarded.code)


def _count_images(metrics: Metrics, capability: str, record: CallRecord) -> None:
    for event in record.events:
        if event in _IMAGE_OUTCOME:
            metrics.image(capability, _IMAGE_OUTCOME[event])


def _outcome(record: CallRecord) -> RequestOutcome:
    """The outcome label of a settled call."""
    if record.code:
        return "client_error"
    faults = any(event is not Event.IMAGE_READ for event in record.events)
    return "partial" if faults else "success"


def _log(record: CallRecord, status: int, reason: str, **further: str) -> None:
    log.info(
        "call",
        extra={
            "call_id": record.call_id,
            "app": record.caller.app.app_id if record.caller else "",
            "capability": record.capability or "",
            "http": status,
            "code": record.code,
            "images": record.images,
            "units": record.units,
            "ms": record.stopwatch.elapsed_ms(),
            "reason": reason,
            **further,
        },
    )
