"""How far a call has come."""

from __future__ import annotations

from typing import TypeVar

from inkgate.service.gateway.call_record import CallRecord
from inkgate.service.gateway.phases import Phase, Started

AnyPhase = TypeVar("AnyPhase", bound=Phase)


class Progress:
    """The phase that a call reached last: all that changes about a call, so that its end can be reported after an
    error too."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self._phase: Phase = started
        self._record: CallRecord | None = None  # of the phase, made when first needed

    def reach(self, phase: AnyPhase) -> AnyPhase:
        """Note the phase and give it back."""
        self._phase, self._record = phase, None
        return phase

    def record(self) -> CallRecord:
        """What is known of the call by now."""
        if self._record is None:
            self._record = self._phase.record()
        return self._record
