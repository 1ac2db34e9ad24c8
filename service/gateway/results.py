"""What became of a request that reached its capability: events, code and plain answer."""

from __future__ import annotations

from typing import Any

import orjson

from inkgate.service.broker.interface import Outcome, Reply
from inkgate.service.contract.answers import batch_answer, fault_answer, seal_fault_answer, single_answer
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.errors import RequestFault, SealFault
from inkgate.service.gateway.phases import Entered, Parsed, ReadResult
from inkgate.service.metering.policy import Event

_UNDECODABLE, _INTERNAL = "decode", "internal"  # faults of images that workers tell of


def request_fault(before: Entered | Parsed, fault: RequestFault) -> ReadResult:
    """A fault of the whole request is an answer too, and one that may be charged."""
    body = fault_answer(before.admitted.capability, fault.fault, fault.detail)
    return ReadResult(before, (Event.REQUEST_FAULT,), body["statusCode"], orjson.dumps(body))


def seal_fault(before: Entered, fault: SealFault) -> ReadResult:
    """A sealed body that cannot be opened; answered in plain."""
    return ReadResult(before, (Event.SEAL_FAULT,), fault.code, orjson.dumps(seal_fault_answer(fault)))


def images_read(parsed: Parsed, request: ParsedRequest, replies: list[Reply], *, superset: bool) -> ReadResult:
    """One element or fault for each image in the order sent; for the licence the fault is the whole request's.

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
    """The element of an image that was read, or the name of its fault."""
    if reply.outcome is Outcome.READ:
        return reply.element
    return _UNDECODABLE if reply.outcome is Outcome.UNDECODABLE else _INTERNAL


def _event(element: object) -> Event:
    if not isinstance(element, str):
        return Event.IMAGE_READ
    return Event.INTERNAL_FAULT if element == _INTERNAL else Event.IMAGE_FAULT
