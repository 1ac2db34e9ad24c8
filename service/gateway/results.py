"""Builds the result of a request: events, code and plain answer."""

from __future__ import annotations

from typing import Any

import orjson

from inkgate.service.broker.interface import Outcome, Reply
from inkgate.service.contract.answers import batch_answer, fault_answer, seal_fault_answer, single_answer
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.errors import RequestFault, SealFault
from inkgate.service.gateway.phases import Accepted, Parsed, ReadResult
from inkgate.service.metering.policy import Event

_UNDECODABLE, _INTERNAL = "decode", "internal"  # image faults reported by workers


def request_fault(previous: Accepted | Parsed, fault: RequestFault) -> ReadResult:
    """The result of a fault of the whole request; it is settled and may be charged."""
    body = fault_answer(previous.admitted.capability, fault.fault, fault.detail)
    return ReadResult(previous, (Event.REQUEST_FAULT,), body["statusCode"], orjson.dumps(body))


def seal_fault(previous: Accepted, fault: SealFault) -> ReadResult:
    """The result of a sealed body that cannot be unsealed; the answer is plain."""
    return ReadResult(previous, (Event.SEAL_FAULT,), fault.code, orjson.dumps(seal_fault_answer(fault)))


def images_read(parsed: Parsed, request: ParsedRequest, replies: list[Reply], *, superset: bool) -> ReadResult:
    """One element or fault per image, in the order sent; a single-image capability fails as a whole request.

    `superset` as in `inkgate.service.contract.answers`.
    """
    capability = parsed.admitted.capability
    by_number = {reply.number: reply for reply in replies}
    elements = [
        image if isinstance(image, str) else _element(by_number[number]) for number, image in enumerate(request.images)
    ]
    events, code = tuple(_event(element) for element in elements), 0
    if not capability.single:
        body = batch_answer(capability, elements, superset=superset)
    elif isinstance(element := elements[0], str):
        body = fault_answer(capability, element)
        code = body["statusCode"]
    else:
        body = single_answer(capability, element, superset=superset)
    return ReadResult(parsed, events, code, orjson.dumps(body))


def _element(reply: Reply) -> Any:
    """The element of a recognised image, or the name of its fault."""
    if reply.outcome is Outcome.READ:
        return reply.element
    return _UNDECODABLE if reply.outcome is Outcome.UNDECODABLE else _INTERNAL


def _event(element: object) -> Event:
    if not isinstance(element, str):
        return Event.IMAGE_READ
    return Event.INTERNAL_FAULT if element == _INTERNAL else Event.IMAGE_FAULT
