"""The record of a finished call: the source of its metrics, log line and statistics."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.accounts.directory import App
from inkgate.service.contract.capabilities import Capability
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event


@dataclass(frozen=True, slots=True)
class Caller:
    """The authorised app of a call and the capability it calls."""

    app: App
    capability: Capability

    @property
    def qps(self) -> float:
        """Requests per second that the app may send to the capability."""
        return self.app.opened[self.capability.name].qps


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """What is known of the caller, for counting refused calls: account id, app id, capability; "" when unknown."""

    account_id: str = ""
    app_id: str = ""
    capability: str = ""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is known of a call when it ends, in any phase.

    `caller` is set once the call is admitted, the fields of `origin` as they become known. `code` is the statusCode of
    the answer, `images` the number of images in the request, `units` its price, `events` the outcome of each image.
    `replayed`: answer and `call_id` are those of an earlier call.
    """

    stopwatch: Stopwatch
    origin: CallerIdentity = CallerIdentity()
    caller: Caller | None = None
    body_bytes: int = 0
    call_id: str = ""
    code: int = 0
    images: int = 0
    units: int = 0
    events: tuple[Event, ...] = ()
    replayed: bool = False

    @property
    def capability(self) -> str | None:
        """The name of the capability of an admitted call."""
        return self.caller.capability.name if self.caller else None
