"""The one place where errors take their wire form."""

from __future__ import annotations

import logging

import orjson

from inkgate.service.contract.answers import fault_answer
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import PAYLOAD_TOO_LARGE_PAGE, REFUSALS, refusal_body
from inkgate.service.errors import BodyTooLarge, InkGateError, Refused, RequestFault
from inkgate.service.gateway.exchange import Answer

log = logging.getLogger("inkgate.gateway")


def failure(error: Exception, request_id: str, *, always_200: bool) -> tuple[int, Answer]:
    """The code and the answer for an error that ended a call before it could be settled."""
    if isinstance(error, BodyTooLarge):
        return 413, Answer(413, PAYLOAD_TOO_LARGE_PAGE, "text/html")
    if isinstance(error, RequestFault):  # a wrong path or method under a known service
        body = fault_answer(CAPABILITIES[error.capability], error.fault)
        return body["statusCode"], Answer(200, orjson.dumps(body))
    code, headers = 50000, {}
    if isinstance(error, Refused):
        code = error.code
        if error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        if REFUSALS[code].http == 408:
            headers["connection"] = "close"  # what still comes is part of a body that nobody waits for
        if REFUSALS[code].http == 405:
            headers["allow"] = "POST"  # the only method of all our calls
    elif not isinstance(error, InkGateError):
        log.exception("a call failed unexpectedly")
    status = 200 if always_200 else REFUSALS[code].http
    return code, Answer(status, orjson.dumps(refusal_body(code, request_id)), headers=headers)
