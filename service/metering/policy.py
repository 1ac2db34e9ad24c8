"""Units per event (manual 7.1, CONTRACT D1): one table, one setting per row.

Gateway refusals, rate limits, time-outs, lost workers and client disconnects are not settled and have no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Event(StrEnum):
    """The outcome of one image, or of a call without images."""

    IMAGE_READ = "image_read"
    IMAGE_FAULT = "image_fault"  # a business error of one image: base64, format, size, dimensions, decode
    REQUEST_FAULT = "request_fault"  # a business error of the whole request
    INTERNAL_FAULT = "internal_fault"  # internal errors 5000 and 500001
    SEAL_FAULT = "seal_fault"  # 40017 to 40020: the body could not be opened, no capability was called


UNITS: dict[Event, int] = {
    Event.IMAGE_READ: 1,
    Event.IMAGE_FAULT: 1,
    Event.REQUEST_FAULT: 1,
    Event.INTERNAL_FAULT: 0,
    Event.SEAL_FAULT: 0,
}


class Policy:
    """Maps the events of a call to units; `overrides` come from the settings."""

    def __init__(self, overrides: dict[str, int] | None = None) -> None:
        self._units = UNITS | {Event(name): units for name, units in (overrides or {}).items()}

    def units(self, events: Iterable[Event]) -> int:
        return sum(self._units[event] for event in events)
