"""The errors of the client.

InkGateClientError
├── ApiError             the service rejected the call or failed
│   ├── Unauthorised     10002 10020 40002 40006: key pair, signature or appkey
│   ├── Forbidden        40009 40010 50002: client address not allowed, or capability not enabled
│   ├── QuotaExhausted   51001 51002 51003: no resource pack, none valid, or too few units left; never retried
│   ├── Busy             42900 50300: rate limit or overload, after all attempts
│   └── BodyTooLarge     HTTP 413
├── ConnectionLost       no complete answer, after all attempts
└── BadAnswer            the answer violates the contract, or its integrity check fails
"""

from __future__ import annotations


class InkGateClientError(Exception):
    """Base class of the errors of this package."""


class ApiError(InkGateClientError):
    """An answer whose statusCode is not 0.

    `code` is the number as text ("51003"; "10020" for "CTAPI_10020"), `message` the message of the service,
    `request_id` the request id in the service's log, `http_status` the HTTP status.
    """

    def __init__(self, code: str, message: str, request_id: str, http_status: int) -> None:
        super().__init__(f"{code} {message} (request {request_id})")
        self.code, self.message, self.request_id, self.http_status = code, message, request_id, http_status


class Unauthorised(ApiError):
    """The key pair, the signature or the appkey is invalid."""


class Forbidden(ApiError):
    """The client address is not allowed, or the capability is not enabled for the app."""


class QuotaExhausted(ApiError):
    """No resource pack covers the call."""


class Busy(ApiError):
    """The rate limit or an overload persisted after all attempts."""


class BodyTooLarge(ApiError):
    """The request body exceeds the limit of the service; send fewer images per call."""


class ConnectionLost(InkGateClientError):
    """The service could not be reached, or the connection was lost, in every attempt."""


class BadAnswer(InkGateClientError):
    """The answer is malformed or does not match its hash."""


_KINDS: dict[str, type[ApiError]] = {
    **dict.fromkeys(("10002", "10020", "40002", "40006"), Unauthorised),
    **dict.fromkeys(("40009", "40010", "50002"), Forbidden),
    **dict.fromkeys(("51001", "51002", "51003"), QuotaExhausted),
    **dict.fromkeys(("42900", "50300"), Busy),
}


def api_error(code: str, message: str, request_id: str, http_status: int) -> ApiError:
    """An error of the class for `code`."""
    return _KINDS.get(code, ApiError)(code, message, request_id, http_status)
