"""What is known of a call when it ends: the one value that metrics, log line and statistics are made of."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.accounts.directory import App
from inkgate.service.contract.capabilities import Capability
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event


@dataclass(frozen=True, slots=True)
class Caller:
    """The app that makes a call and the capability that it asks for."""

    app: App
    capability: Capability

    @property
    def qps(self) -> float:
        """Requests per second that the app may send to the capability."""
        return self.app.opened[self.capability.name].qps


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a call that is refused counts for: the account of its access key, app id, capability; "" for unknown."""

    account_id: str = ""
    app_id: str = ""
    capability: str = ""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is known of a call when it ends, in whatever phase.

    `caller` is set once the call is admitted, the parts of `origin` as they become known. `code` is the statusCode of
    the answer, `images` the number of images in the request, `units` its price, `events` what happened to each image.
    `replayed`: the answer is the one of an earlier call, and so is `call_id`.
    """

    watch: Stopwatch
    origin: Origin = Origin()
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
