"""What one finished call leaves behind: metrics and a single log line, never its content."""

from __future__ import annotations

import logging
from typing import cast, get_args

from inkgate.service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    HeldOff,
    Overloaded,
    RateLimited,
    Refused,
    RequestFault,
)
from inkgate.service.gateway.pipeline import Call
from inkgate.service.metering.policy import Event
from inkgate.service.telemetry.metrics import Metrics, RequestOutcome, Stage

log = logging.getLogger("inkgate.call")
NOT_DELIVERED = "paid for, not delivered whole; kept for replay"
_IMAGE_OUTCOME = {Event.IMAGE_READ: "read", Event.IMAGE_FAULT: "rejected", Event.INTERNAL_FAULT: "failed"}
_STAGES = frozenset(get_args(Stage))


def report(metrics: Metrics, call: Call, status: int, error: Exception | None = None, reason: str = "") -> None:
    """Count and log a call once its answer has left. `status` is the HTTP status, 499 when nobody was there."""
    capability = call.caller.capability.name if call.caller else None
    metrics.request(capability, _outcome(call, error), call.code, call.watch.elapsed())
    metrics.body(capability, call.body_bytes)
    for stage, seconds in call.watch.stages.items():
        if stage in _STAGES:
            metrics.stage(capability, cast(Stage, stage), seconds)
    if capability is not None and error is None:
        for event in call.events:
            if event in _IMAGE_OUTCOME:
                metrics.image(capability, _IMAGE_OUTCOME[event])
    if call.replayed and capability is not None:
        metrics.replayed(capability)
    if isinstance(error, Refused | BodyTooLarge):
        metrics.rejected(_reason(error))
    _log(call, status, reason or (str(error) if error else ""))


def _reason(error: Refused | BodyTooLarge) -> str:
    if isinstance(error, HeldOff):
        return "held_off"
    return str(error.code) if isinstance(error, Refused) else "too_large"


def _outcome(call: Call, error: Exception | None) -> RequestOutcome:
    if error is None:
        if call.code:
            return "client_error"
        faults = any(event is not Event.IMAGE_READ for event in call.events)
        return "partial" if faults else "success"
    if isinstance(error, ClientGone):
        return "cancelled"
    if isinstance(error, BodyTooSlow):
        return "slow_body"
    if isinstance(error, RateLimited):
        return "limited"
    if isinstance(error, Overloaded):
        return "overloaded"
    if isinstance(error, Refused):
        return "refused"
    return "client_error" if isinstance(error, RequestFault | BodyTooLarge) else "failed"


def _log(call: Call, status: int, reason: str) -> None:
    log.info(
        "call",
        extra={
            "call_id": call.call_id,
            "app": call.caller.app.app_id if call.caller else "",
            "capability": call.caller.capability.name if call.caller else "",
            "http": status,
            "code": call.code,
            "images": call.images,
            "units": call.units,
            "ms": call.watch.elapsed_ms(),
            "reason": reason,
        },
    )
