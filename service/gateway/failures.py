"""Conversion of errors to HTTP answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import singledispatch
from types import MappingProxyType

import orjson

from inkgate.service.contract.answers import fault_answer, seal_fault_answer
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import PAYLOAD_TOO_LARGE_PAGE, REFUSALS, refusal_body
from inkgate.service.errors import BodyTooLarge, InkGateError, InternalError, RequestFault, SealFault, WireError
from inkgate.service.gateway.exchange import Answer

log = logging.getLogger("inkgate.gateway")

_FURTHER_HEADERS: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {
        405: {"allow": "POST"},  # the only method of all API calls
        408: {"connection": "close"},  # the rest of the body would be parsed as a request
    }
)
"""Headers by the refusal's HTTP status in the refusal table, independent of `always_200`."""


def wire_error(error: Exception) -> WireError:
    """The error itself if it is a WireError, else an InternalError with the same text.

    To be called in an exception handler: exceptions other than InkGateError are logged with their traceback.
    """
    if isinstance(error, WireError):
        return error
    if not isinstance(error, InkGateError):
        log.exception("a call failed unexpectedly")
    return InternalError(str(error))


@singledispatch
def error_answer(error: WireError, request_id: str, *, always_200: bool) -> tuple[int, Answer]:
    """The code and the answer for an error that ended a call before settlement.

    `always_200`: refusals are sent with HTTP status 200 (CONTRACT D5).
    """
    http = REFUSALS[error.code].http
    headers = dict(_FURTHER_HEADERS.get(http, {}))
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    body = orjson.dumps(refusal_body(error.code, request_id))
    return error.code, Answer(200 if always_200 else http, body, headers=headers)


@error_answer.register
def _too_large(error: BodyTooLarge, request_id: str, *, always_200: bool) -> tuple[int, Answer]:
    return error.code, Answer(error.http_status, PAYLOAD_TOO_LARGE_PAGE, "text/html")


@error_answer.register
def _request_fault(error: RequestFault, request_id: str, *, always_200: bool) -> tuple[int, Answer]:
    """A wrong path or method of a known service; other request faults are settled answers (`results.py`)."""
    body = fault_answer(CAPABILITIES[error.capability], error.fault, error.detail)
    return body["statusCode"], Answer(error.http_status, orjson.dumps(body))


@error_answer.register
def _seal_fault(error: SealFault, request_id: str, *, always_200: bool) -> tuple[int, Answer]:
    return error.code, Answer(error.http_status, orjson.dumps(seal_fault_answer(error)))
