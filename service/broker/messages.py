"""Messages between gateway and worker as JSON, compatible with the previous and the next release.

Rules for rolling upgrades:

- a reader ignores unknown fields;
- a field added after the first release has a default, which applies to messages without it;
- a reply has the fields of the first release only (`REPLY_FIELDS`): gateways up to 0.1 fail on any other;
- a malformed message is counted, logged without its image, and dropped or answered as failed.
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

_TASK_FIELDS = tuple(each.name for each in fields(Task) if each.name != "image")


class MessageError(ValueError):
    """A malformed message. `answer` is the failure reply for its caller, if the message identifies the task."""

    def __init__(self, reason: str, answer: Reply | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


def known_fields(kind: type[DataclassInstance], message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `message` that the dataclass `kind` has; unknown fields are ignored."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in message.items() if name in names}


def encode_task(task: Task) -> dict[str, Any]:
    """The fields of a task, without its image."""
    return {name: getattr(task, name) for name in _TASK_FIELDS}


def decode_task(header: object, image: bytes) -> Task:
    """The task of a `encode_task`. Raises MessageError when what identifies the task is missing or of another type."""
    if not isinstance(header, Mapping):
        raise MessageError("a task is no JSON object")
    call_id, number = _identity(header)
    failure = Reply(call_id, number, Outcome.FAILED)
    if not isinstance(header.get("capability"), str) or not _is_number(header.get("deadline")):
        raise MessageError("a task has no capability or no deadline", failure)
    return Task(image=image, **known_fields(Task, {name: value for name, value in header.items() if name != "image"}))


def encode_reply(reply: Reply, *, embedded: bool = False) -> dict[str, Any]:
    """A reply as JSON types, with the fields in REPLY_FIELDS.

    An `embedded` broker, which always has the worker's release, also gets `killed`, since it counts deaths itself; over
    Redis the worker does.
    """
    header = {name: getattr(reply, name) for name in REPLY_FIELDS} | {"stages": dict(reply.stages)}
    return {**header, "killed": reply.killed} if embedded else header


def decode_reply(message: object) -> Reply:
    """The reply of a `encode_reply`. Raises MessageError; worker, stages and busy may be missing or anything."""
    if not isinstance(message, Mapping):
        raise MessageError("a reply is no JSON object")
    call_id, number = _identity(message)
    failure = Reply(call_id, number, Outcome.FAILED)
    try:
        outcome = Outcome(message.get("outcome", ""))
    except ValueError:
        raise MessageError("a reply's outcome is not one we know", failure) from None
    element = message.get("element")
    if not isinstance(element, Mapping):
        if outcome is Outcome.READ:
            raise MessageError("a reply without the element that was read", failure)
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
        raise MessageError("a message names no call_id and number")
    return call_id, number


def _seconds(stages: Mapping[Any, Any]) -> dict[str, float]:
    return {name: value for name, value in stages.items() if isinstance(name, str) and _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
