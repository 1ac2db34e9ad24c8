"""Every error InkGate raises on purpose. Raised low, turned into wire form in one place (`service.gateway.failures`).

InkGateError
├── ConfigurationError      a setting is wrong: one line with its name and the remedy, exit status 2
├── Misuse                  a command or an admin call asks for what cannot be: one line, exit status 2 / HTTP 4xx
├── Refused                 a gateway code (manual 6.1.3): 10002 … 51003; never charged
│   ├── RateLimited         42900, HTTP 429 (CONTRACT D6); never charged
│   ├── Overloaded          50300, HTTP 503: the queue is full or the deadline cannot be met; never charged
│   ├── BodyTooSlow         40800, HTTP 408: the body did not come in time (CONTRACT D12); never charged
│   └── HeldOff             50300, HTTP 503: images of this app have killed workers (CONTRACT D12); never charged
├── BodyTooLarge            the body passes the limit: HTTP 413 with the page of manual 4.4
├── ClientGone              the client hung up: no answer, nothing counted
├── SealFault               a sealed body is wrong: 40017 … 40020 (manual 6.2.4)
├── RequestFault            a request-level business error, in the capability's own numbers
├── BrokerDown              the queue is out of reach: 50000, nothing counted
├── LedgerDown              the ledger is out of reach: 50000, nothing counted
│   └── ClockSuspect        no clock reading that money may go by: 50000, nothing counted
└── DeadlineMissed          replies are missing at the deadline: 50000, nothing counted
"""

from __future__ import annotations

from inkgate.service.messages import ENGLISH, MESSAGES, Kind, Param, render


class InkGateError(Exception):
    """The base of all our errors."""


class ConfigurationError(InkGateError):
    """A setting that cannot work. `setting` is its environment name; `remedy` says what to do."""

    def __init__(self, setting: str, problem: str, remedy: str) -> None:
        super().__init__(f"{setting}: {problem}. {remedy}")
        self.setting = setting


class Misuse(InkGateError):
    """What was asked for cannot be done; the message says why and what can be done instead.

    `code` is a key of `inkgate.service.messages.MESSAGES`, `params` are the values that its templates name; `str()` is
    the English text. Raises KeyError for an unknown code or a missing parameter.
    """

    def __init__(self, code: str, **params: Param) -> None:
        super().__init__(render(code, params, ENGLISH))
        self.code, self.params = code, params

    @property
    def kind(self) -> Kind:
        """What sort of problem it is."""
        return MESSAGES[self.code].kind


class Refused(InkGateError):
    """The gateway refuses a call. `code` is a key of the refusal table (`inkgate.service.contract.refusals`)."""

    def __init__(self, code: int, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail  # for logs only, never sent
        self.retry_after = retry_after  # seconds


class RateLimited(Refused):
    """More requests per second than the app may send to this capability."""

    def __init__(self, retry_after: int = 2) -> None:
        super().__init__(42900, retry_after=retry_after)


class Overloaded(Refused):
    """The service cannot take the call now: queue or byte budget full, or the deadline out of reach."""

    def __init__(self, detail: str = "", retry_after: int = 2) -> None:
        super().__init__(50300, detail, retry_after)


class BodyTooSlow(Refused):
    """The body stalls or trickles: it was not there whole within the time that it has."""

    def __init__(self) -> None:
        super().__init__(40800, "the body took too long")


class HeldOff(Refused):
    """Images of this app have killed workers, and it is held off for a while."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(50300, "held off: images of this app killed workers", retry_after)


class BodyTooLarge(InkGateError):
    """The request body is larger than the limit."""


class ClientGone(InkGateError):
    """The client hung up; nobody is there to answer."""


class SealFault(InkGateError):
    """A sealed request cannot be opened. `code` is 40017 … 40020, `message` and `details` are the manual's texts."""

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.details = code, message, details


class RequestFault(InkGateError):
    """A request-level business error. `fault` is a key of the capability's code table; `detail` follows its text."""

    def __init__(self, capability: str, fault: str, detail: str = "") -> None:
        super().__init__(f"{capability}: {fault}")
        self.capability, self.fault, self.detail = capability, fault, detail


class BrokerDown(InkGateError):
    """The queue between gateway and workers is out of reach."""


class LedgerDown(InkGateError):
    """The ledger's database is out of reach, or did not confirm inside the deadline."""


class ClockSuspect(LedgerDown):
    """A clock reading that must not be written to the ledger.

    `reason` is "database" (the database's clock and ours disagree), "own" (our clock was set while we ran) or "meter"
    (what was settled last lies in the future).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DeadlineMissed(InkGateError):
    """Not every image of the call was answered before the deadline."""
