"""What a gateway and a worker say to each other, as JSON, readable by the release before and after this one.

The rules that keep two releases able to work side by side while one replaces the other:

- a reader takes the fields it knows and leaves the others out;
- a field that came after the first release has a default, which a message without it means;
- a reply carries the fields of the first release only (`REPLY_FIELDS`): gateways up to 0.1 fail on any other;
- a message that cannot be understood is counted, logged without its image, and dropped or answered as a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from inkgate.service.broker.interface import Outcome, Reply, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

REPLY_FIELDS = ("call_id", "number", "outcome", "element", "worker", "stages", "busy")

_OTHER_FIELDS = tuple(each.name for each in fields(Task) if each.name != "image")


class Malformed(ValueError):
    """A message that cannot be understood. `answer` is the internal failure to give its caller, where it names one."""

    def __init__(self, reason: str, answer: Reply | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


def known(kind: type[DataclassInstance], message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `message` that the dataclass `kind` has; those of another release are left out."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in message.items() if name in names}


def task_head(task: Task) -> dict[str, Any]:
    """Everything of a task but its image."""
    return {name: getattr(task, name) for name in _OTHER_FIELDS}


def task_from(head: object, image: bytes) -> Task:
    """The task of a `task_head`. Raises Malformed when what identifies the task is missing or of another type."""
    if not isinstance(head, Mapping):
        raise Malformed("a task is no JSON object")
    call_id, number = _identity(head)
    failure = Reply(call_id, number, Outcome.FAILED)
    if not isinstance(head.get("capability"), str) or not _is_number(head.get("deadline")):
        raise Malformed("a task has no capability or no deadline", failure)
    return Task(image=image, **known(Task, {name: value for name, value in head.items() if name != "image"}))


def reply_head(reply: Reply, *, embedded: bool = False) -> dict[str, Any]:
    """A reply as JSON types, its fields those of REPLY_FIELDS.

    An `embedded` broker, always of the worker's own release, also gets `killed`, for it counts deaths itself; over
    Redis the worker does.
    """
    head = {
        "call_id": reply.call_id,
        "number": reply.number,
        "outcome": reply.outcome,
        "element": reply.element,
        "worker": reply.worker,
        "stages": dict(reply.stages),
        "busy": reply.busy,
    }
    return {**head, "killed": reply.killed} if embedded else head


def reply_from(message: object) -> Reply:
    """The reply of a `reply_head`. Raises Malformed; worker, stages and busy may be missing or anything."""
    if not isinstance(message, Mapping):
        raise Malformed("a reply is no JSON object")
    call_id, number = _identity(message)
    failure = Reply(call_id, number, Outcome.FAILED)
    try:
        outcome = Outcome(message.get("outcome", ""))
    except ValueError:
        raise Malformed("a reply's outcome is not one we know", failure) from None
    element = message.get("element")
    if not isinstance(element, Mapping):
        if outcome is Outcome.READ:
            raise Malformed("a reply without the element that was read", failure)
        element = None
    worker, stages, busy = message.get("worker", ""), message.get("stages"), message.get("busy", 0.0)
    return Reply(
        call_id,
        number,
        outcome,
        element,
        worker=worker if isinstance(worker, str) else "",
        stages=_seconds(stages) if isinstance(stages, Mapping) else {},
        busy=busy if _is_number(busy) and busy > 0 else 0.0,
        killed=message.get("killed") is True,
    )


def _identity(message: Mapping[Any, Any]) -> tuple[str, int]:
    call_id, number = message.get("call_id"), message.get("number")
    if not isinstance(call_id, str) or not isinstance(number, int) or isinstance(number, bool):
        raise Malformed("a message names no call_id and number")
    return call_id, number


def _seconds(stages: Mapping[Any, Any]) -> dict[str, float]:
    return {name: value for name, value in stages.items() if isinstance(name, str) and _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
