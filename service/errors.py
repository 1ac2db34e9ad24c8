"""The exceptions of InkGate. `service.gateway.failures` converts those of a call to answers.

InkGateError                    the base class
├── ConfigurationError          invalid setting: one line with its name and the remedy, exit status 2
├── Misuse                      invalid command or admin request: one line, exit status 2 / HTTP 4xx
├── PackInvalid                 a file is no evidence pack, or was changed: one line, exit status 1
└── WireError                   ends a call, which is not charged; the class defines answer and metrics
    ├── Refused                 a gateway code (manual 6.1.3): 10002 … 51003
    │   ├── RateLimited         42900, HTTP 429 (CONTRACT D6)
    │   ├── Overloaded          50300, HTTP 503: a queue limit is exceeded or the deadline cannot be met
    │   ├── BodyTooSlow         40800, HTTP 408: the body was not complete in time (CONTRACT D12)
    │   └── AppHeldOff          50300, HTTP 503: images of this app have killed workers (CONTRACT D12)
    ├── BodyTooLarge            the body exceeds the limit: HTTP 413 with the page of manual 4.4
    ├── ClientDisconnected      the client disconnected: no answer
    ├── SealFault               invalid sealed body: 40017 … 40020 (manual 6.2.4)
    ├── RequestFault            a request-level business error, with a code of the capability
    ├── BrokerUnavailable       the queue is unreachable: 50000
    ├── DatabaseDown            the database is unreachable or unusable, nothing was written: 50000
    ├── LedgerUnavailable       the ledger cannot record the call: 50000
    │   ├── SettlementUnconfirmed   no commit was confirmed; the outcome may be unknown
    │   ├── LedgerBusy          it is closing, or too many settlements are pending; nothing was written
    │   ├── PayerUnknown        no account is known that pays for the app; nothing was written
    │   └── ClockSuspect        the clock reading is not safe for billing; nothing was written
    ├── UpstreamFailed          the cloud gave no answer that can be returned: 50200, HTTP 502
    │   └── UpstreamTimedOut    its answer was not complete in time: 50400, HTTP 504
    ├── DeadlineMissed          replies are missing at the deadline: 50000
    └── InternalError           any other internal error: 50000
"""

from __future__ import annotations

from typing import Literal

from inkgate.service.messages import ENGLISH, MESSAGES, Kind, Param, render

INTERNAL = 50000
"""The gateway code of all internal errors."""

FailedOutcome = Literal["client_error", "refused", "limited", "overloaded", "failed", "cancelled", "slow_body"]
"""The outcomes of a call without a settled answer: values of `inkgate.service.telemetry.metrics.RequestOutcome`."""


class InkGateError(Exception):
    """The base class of all InkGate errors."""


class ConfigurationError(InkGateError):
    """An invalid setting. `setting` is its environment variable; `remedy` says what to do."""

    def __init__(self, setting: str, problem: str, remedy: str) -> None:
        super().__init__(f"{setting}: {problem}. {remedy}")
        self.setting = setting


class Misuse(InkGateError):
    """An invalid request of an operator or user; the message says why and what to do instead.

    `code` is a key of `inkgate.service.messages.MESSAGES`, `params` are the values for its templates; `str()` is the
    English text. Raises KeyError for an unknown code or a missing parameter.
    """

    def __init__(self, code: str, **params: Param) -> None:
        super().__init__(render(code, params, ENGLISH))
        self.code, self.params = code, params

    @property
    def kind(self) -> Kind:
        """The kind of problem."""
        return MESSAGES[self.code].kind


class WireError(InkGateError):
    """An error that ends a call before settlement. Subclasses and instances override the attributes.

    `str()` is for logs only and is never sent.
    """

    code: int = INTERNAL
    """The statusCode of the answer; 0 when no answer is sent or the code comes from the capability's table."""

    http_status: int | None = None
    """The HTTP status; None: that of `code` in the refusal table (`inkgate.service.contract.refusals`)."""

    outcome: FailedOutcome = "failed"
    """The label `outcome` of inkgate_requests_total."""

    rejection: str | None = None
    """The label `reason` of inkgate_rejected_total; None: the call is not counted there."""

    retry_after: int | None = None
    """Seconds, sent as Retry-After; None: not sent."""

    capability: str = ""
    """The capability concerned, if known from the error only."""


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
    """The service cannot accept the call now: a queue or byte limit is exceeded, or the deadline cannot be met."""

    code = 50300
    outcome = "overloaded"

    def __init__(self, detail: str = "", retry_after: int = 2) -> None:
        super().__init__(self.code, detail, retry_after)


class BodyTooSlow(Refused):
    """The body was not complete within the time limit."""

    code = 40800
    outcome = "slow_body"

    def __init__(self) -> None:
        super().__init__(self.code, "the body took too long")


class AppHeldOff(Refused):
    """The app is held off because its images have killed workers. `retry_after` is the rest of it in seconds."""

    code = 50300
    rejection = "held_off"  # the code is shared with Overloaded

    def __init__(self, retry_after: int) -> None:
        super().__init__(self.code, "held off: images of this app killed workers", retry_after)


class BodyTooLarge(WireError):
    """The request body is larger than the limit."""

    code = 413
    http_status: int = 413
    outcome = "client_error"
    rejection = "too_large"


class ClientDisconnected(WireError):
    """The client disconnected; no answer can be sent."""

    code = 0
    http_status: int = 499  # as nginx logs it; never sent
    outcome = "cancelled"


class SealFault(WireError):
    """A sealed request cannot be unsealed. `code` is 40017 … 40020, `message` and `details` are the manual's texts."""

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


class BrokerUnavailable(WireError):
    """The queue between gateway and workers is unreachable."""


class DatabaseDown(WireError):
    """The database is unreachable or unusable. Nothing was written; commands raise it too."""


class LedgerUnavailable(WireError):
    """The ledger cannot record the call, which therefore must not be answered. The subclass is the reason."""


class SettlementUnconfirmed(LedgerUnavailable):
    """No commit of the settlement was confirmed within the time limit.

    The outcome may be unknown, for example when a connection breaks during the commit; settling the same call id again
    resolves it.
    """


class LedgerBusy(LedgerUnavailable):
    """The ledger is closing, or too many settlements are pending. Nothing was written."""


class PayerUnknown(LedgerUnavailable):
    """The database has no such app, so there is no account to charge. Nothing was written."""


class ClockSuspect(LedgerUnavailable):
    """The clock reading must not be written to the ledger. Nothing was written.

    `reason` is "database" (the clocks of database and process disagree), "own" (the clock of this host was set) or
    "meter" (the latest settlement lies in the future).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UpstreamFailed(WireError):
    """A call was sent on to the cloud, which could not be reached, broke off, or answered with malformed HTTP."""

    code = 50200


class UpstreamTimedOut(UpstreamFailed):
    """A call was sent on to the cloud, and its answer was not complete within the time limit."""

    code = 50400


class DeadlineMissed(WireError):
    """Not all images of the call were answered before the deadline."""


class InternalError(WireError):
    """Any other internal error, such as an unexpected exception."""
