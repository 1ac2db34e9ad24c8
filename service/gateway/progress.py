"""The current phase of a call."""

from __future__ import annotations

from typing import TypeVar

from inkgate.service.gateway.call_record import CallRecord
from inkgate.service.gateway.phases import Phase, Started

AnyPhase = TypeVar("AnyPhase", bound=Phase)


class Progress:
    """Holds the latest phase of a call, so that the call can be reported after an error too."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self._phase: Phase = started
        self._record: CallRecord | None = None  # of the current phase, built on first use

    def advance(self, phase: AnyPhase) -> AnyPhase:
        """Set the current phase and return it."""
        self._phase, self._record = phase, None
        return phase

    def record(self) -> CallRecord:
        """What is known of the call now."""
        if self._record is None:
            self._record = self._phase.record()
        return self._record
