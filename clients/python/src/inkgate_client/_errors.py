"""What can go wrong, from the caller's side.

InkGateClientError
├── ApiError             the service refused the call or could not serve it
│   ├── Unauthorised     10002 10020 40002 40006: key pair, signature or appkey
│   ├── Forbidden        40009 40010 50002: address, or a capability that is not opened
│   ├── QuotaExhausted   51001 51002 51003: no resource pack, none valid, or too little left; never retried
│   ├── Busy             42900 50300: rate limit or overload, still there after all tries
│   └── BodyTooLarge     HTTP 413
├── ConnectionLost       no whole answer came, after all tries
└── BadAnswer            the answer is not what the contract describes, or its seal does not hold
"""

from __future__ import annotations


class InkGateClientError(Exception):
    """The base of everything this package raises on purpose."""


class ApiError(InkGateClientError):
    """An answer whose statusCode is not 0.

    `code` is the number as text ("51003", also for "CTAPI_10020": "10020"), `message` what the service said,
    `request_id` the id to look for in its log, `http_status` the HTTP status.
    """

    def __init__(self, code: str, message: str, request_id: str, http_status: int) -> None:
        super().__init__(f"{code} {message} (request {request_id})")
        self.code, self.message, self.request_id, self.http_status = code, message, request_id, http_status


class Unauthorised(ApiError):
    """The key pair, the signature or the appkey is not accepted."""


class Forbidden(ApiError):
    """This address may not call, or the app has not opened the capability."""


class QuotaExhausted(ApiError):
    """No resource pack covers the call."""


class Busy(ApiError):
    """The rate limit or an overload outlasted all tries."""


class BodyTooLarge(ApiError):
    """The request is larger than the service takes; send fewer pictures at a time."""


class ConnectionLost(InkGateClientError):
    """The service could not be reached, or the connection broke, at every try."""


class BadAnswer(InkGateClientError):
    """The answer cannot be understood, or does not match its hash."""


_KINDS: dict[str, type[ApiError]] = {
    **dict.fromkeys(("10002", "10020", "40002", "40006"), Unauthorised),
    **dict.fromkeys(("40009", "40010", "50002"), Forbidden),
    **dict.fromkeys(("51001", "51002", "51003"), QuotaExhausted),
    **dict.fromkeys(("42900", "50300"), Busy),
}


def api_error(code: str, message: str, request_id: str, http_status: int) -> ApiError:
    """The error of the class that `code` belongs to."""
    return _KINDS.get(code, ApiError)(code, message, request_id, http_status)
