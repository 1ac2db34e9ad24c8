"""Every error InkGate raises on purpose. Raised low, turned into wire form in one place (`service.gateway.failures`).

InkGateError                    the base of all of them
├── ConfigurationError          a setting is wrong: one line with its name and the remedy, exit status 2
├── Misuse                      a command or an admin call asks for what cannot be: one line, exit status 2 / HTTP 4xx
└── WireError                   ends a call; nothing is charged. Its class says what is answered and counted
    ├── Refused                 a gateway code (manual 6.1.3): 10002 … 51003
    │   ├── RateLimited         42900, HTTP 429 (CONTRACT D6)
    │   ├── Overloaded          50300, HTTP 503: the queue is full or the deadline cannot be met
    │   ├── BodyTooSlow         40800, HTTP 408: the body did not come in time (CONTRACT D12)
    │   └── HeldOff             50300, HTTP 503: images of this app have killed workers (CONTRACT D12)
    ├── BodyTooLarge            the body passes the limit: HTTP 413 with the page of manual 4.4
    ├── ClientGone              the client hung up: no answer
    ├── SealFault               a sealed body is wrong: 40017 … 40020 (manual 6.2.4)
    ├── RequestFault            a request-level business error, in the capability's own numbers
    ├── BrokerDown              the queue is out of reach: 50000
    ├── DatabaseDown            the database is out of reach or cannot be used, nothing was written: 50000
    ├── LedgerDown              the ledger cannot take the call: 50000
    │   ├── SettlementUnconfirmed   no commit was confirmed, so that its outcome may be unknown
    │   ├── LedgerBusy          it closes, or too many settlements wait; nothing was written
    │   ├── PayerUnknown        no account is known that pays for the app; nothing was written
    │   └── ClockSuspect        no clock reading that money may go by; nothing was written
    ├── DeadlineMissed          replies are missing at the deadline: 50000
    └── InternalError           what no other class names: 50000
"""

from __future__ import annotations

from typing import Literal

from inkgate.service.messages import ENGLISH, MESSAGES, Kind, Param, render

INTERNAL = 50000
"""The gateway code of every fault of ours."""

FailedOutcome = Literal["client_error", "refused", "limited", "overloaded", "failed", "cancelled", "slow_body"]
"""How a call can end without a settled answer: values of `inkgate.service.telemetry.metrics.RequestOutcome`."""


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


class WireError(InkGateError):
    """An error that ends a call before it is settled. Subclasses and instances set what differs.

    `str()` of it is for logs alone and is never sent.
    """

    code: int = INTERNAL
    """The statusCode answered; 0 where the class has none: no answer is sent, or the capability's table has it."""

    http_status: int | None = None
    """The HTTP status answered; None: the one of `code` in the refusal table (`inkgate.service.contract.refusals`)."""

    outcome: FailedOutcome = "failed"
    """The label `outcome` of inkgate_requests_total."""

    rejection: str | None = None
    """The label `reason` of inkgate_rejected_total; None: the call is not counted there."""

    retry_after: int | None = None
    """Seconds after which the client may come again, sent as Retry-After; None: not sent."""

    capability: str = ""
    """The capability that the error is about, where the error alone knows it."""


class Refused(WireError):
    """The gateway refuses a call. `code` is a key of the refusal table (`inkgate.service.contract.refusals`)."""

    outcome: FailedOutcome = "refused"

    def __init__(self, code: int, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail  # for logs only, never sent
        self.retry_after = retry_after  # seconds
        self.rejection = self.rejection or str(code)


class RateLimited(Refused):
    """More requests per second than the app may send to this capability."""

    code = 42900
    outcome = "limited"

    def __init__(self, retry_after: int = 2) -> None:
        super().__init__(self.code, retry_after=retry_after)


class Overloaded(Refused):
    """The service cannot take the call now: queue or byte budget full, or the deadline out of reach."""

    code = 50300
    outcome = "overloaded"

    def __init__(self, detail: str = "", retry_after: int = 2) -> None:
        super().__init__(self.code, detail, retry_after)


class BodyTooSlow(Refused):
    """The body stalls or trickles: it was not there whole within the time that it has."""

    code = 40800
    outcome = "slow_body"

    def __init__(self) -> None:
        super().__init__(self.code, "the body took too long")


class HeldOff(Refused):
    """Images of this app have killed workers, and it is held off for a while."""

    code = 50300
    rejection = "held_off"  # not the code, which it shares with Overloaded

    def __init__(self, retry_after: int) -> None:
        super().__init__(self.code, "held off: images of this app killed workers", retry_after)


class BodyTooLarge(WireError):
    """The request body is larger than the limit."""

    code = 413
    http_status: int = 413
    outcome = "client_error"
    rejection = "too_large"


class ClientGone(WireError):
    """The client hung up; no answer can be sent."""

    code = 0
    http_status: int = 499  # as nginx logs it; never sent
    outcome = "cancelled"


class SealFault(WireError):
    """A sealed request cannot be opened. `code` is 40017 … 40020, `message` and `details` are the manual's texts."""

    http_status: int = 200
    outcome = "client_error"

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.details = code, message, details


class RequestFault(WireError):
    """A request-level business error. `fault` is a key of the capability's code table; `detail` follows its text."""

    code = 0
    http_status: int = 200
    outcome = "client_error"

    def __init__(self, capability: str, fault: str, detail: str = "") -> None:
        super().__init__(f"{capability}: {fault}")
        self.capability, self.fault, self.detail = capability, fault, detail


class BrokerDown(WireError):
    """The queue between gateway and workers is out of reach."""


class DatabaseDown(WireError):
    """The database is out of reach or cannot be used. Nothing was written; commands raise it too."""


class LedgerDown(WireError):
    """The ledger cannot take the call, which must not be answered then. Its subclasses say why."""


class SettlementUnconfirmed(LedgerDown):
    """No commit of the settlement was confirmed in the time that it has.

    Its outcome may be unknown, as when a connection breaks during the commit; to find out, settle the call id again.
    """


class LedgerBusy(LedgerDown):
    """The ledger takes no settlement: it is being closed, or too many wait. Nothing was written."""


class PayerUnknown(LedgerDown):
    """The database has no such app, and so no account that pays for it. Nothing was written."""


class ClockSuspect(LedgerDown):
    """A clock reading that must not be written to the ledger. Nothing was written.

    `reason` is "database" (the database's clock and ours disagree), "own" (our clock was set while we ran) or "meter"
    (what was settled last lies in the future).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DeadlineMissed(WireError):
    """Not every image of the call was answered before the deadline."""


class InternalError(WireError):
    """A fault of ours that no other class names, such as an unexpected exception."""
