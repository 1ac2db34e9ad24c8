"""The messages of a control channel: from a child process to its supervisor, as JSON objects in frames.

    frames.send_frame(control, encode(Leaving("memory")))
    event = decode(head)                                # None for an unknown kind

A child may be of another release than its supervisor. As in `broker/messages.py`, unknown fields and unknown kinds are
ignored, fields added later have a default, and a value of a wrong type or out of bounds raises `MessageError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeGuard

from inkgate.service.broker.messages import MessageError

TEXT_LIMIT = 4096  # characters of a name, a label or a reason
ERROR_LIMIT = 65_536  # characters of the text of an error; longer texts are cut off
COUNT_LIMIT = 2**31 - 1
MEMORY_LIMIT_MIB = 2.0**40
NUMBER_LIMIT = 1e18  # of any other number; excludes infinity and NaN
DEFAULT_ERROR = "it could not start"


class Kind(StrEnum):
    """The `kind` of a message."""

    READY = "ready"
    DONE = "done"
    LEAVING = "leaving"
    FATAL = "fatal"
    MALFORMED = "malformed"
    TASK_FAILED = "task failed"
    METRICS = "metrics"
    BEGUN = "begun"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Labels as in `inkgate.engines.types.EngineInfo`; `model` lists the models, separated by spaces."""

    engine: str = ""
    model: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The process accepts work from now on."""

    kind: ClassVar[Kind] = Kind.READY


@dataclass(frozen=True, slots=True)
class WorkerReady(Ready):
    """A worker process has finished its warm-up. `rss_mib` is its resident memory in MiB, None when unknown."""

    name: str
    engine: EngineFacts
    profile: str = ""
    rss_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A worker has answered one image. `stages` are in seconds. `lines` is None where text lines are not counted.
    `in_hand` is the number of images that the worker had in progress, including this one."""

    kind: ClassVar[Kind] = Kind.DONE
    capability: str
    outcome: str
    delivery: int = 1
    stages: Mapping[str, float] = field(default_factory=dict)
    lines: int | None = None
    rss_mib: float | None = None
    in_hand: int = 1


@dataclass(frozen=True, slots=True)
class Leaving:
    """A worker exits: at its image limit ("images") or memory limit ("memory"), or on request ("stop")."""

    kind: ClassVar[Kind] = Kind.LEAVING
    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Fatal:
    """A process could not start; `error` is a text for the operator."""

    kind: ClassVar[Kind] = Kind.FATAL
    error: str = DEFAULT_ERROR


@dataclass(frozen=True, slots=True)
class MalformedMessage:
    """A process could not decode a message; `message` is its kind, as in the metrics ("task", "reply")."""

    kind: ClassVar[Kind] = Kind.MALFORMED
    message: str


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A background task of the process has failed and is restarted."""

    kind: ClassVar[Kind] = Kind.TASK_FAILED
    task: str


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """The metrics of a process; `families` is validated by `telemetry.merge.snapshot_from`."""

    kind: ClassVar[Kind] = Kind.METRICS
    pid: int
    families: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Begun:
    """A process for isolated reading starts to read its image."""

    kind: ClassVar[Kind] = Kind.BEGUN


@dataclass(frozen=True, slots=True)
class Gone:
    """A child has exited. Created by the supervisor, never sent. `status` is as in `subprocess.Popen.returncode`."""

    status: int
    pid: int


Message = Ready | Done | Leaving | Fatal | MalformedMessage | TaskFailed | MetricsReport | Begun
Event = Message | Gone


def encode(message: Message) -> dict[str, Any]:
    """The message as a JSON object with its `kind`."""
    head: dict[str, Any] = {"kind": str(message.kind)}
    for attribute in fields(message):
        head[attribute.name] = getattr(message, attribute.name)
    if isinstance(message, WorkerReady):
        head["engine"] = asdict(message.engine)
    if isinstance(message, Done):
        head["stages"] = dict(message.stages)
    return head


def kind_of(head: Mapping[str, Any]) -> Kind | None:
    """The kind of an encoded message, without a check of its other fields; None for an unknown kind."""
    try:
        return Kind(head.get("kind"))  # type: ignore[arg-type]  # any other value raises ValueError
    except ValueError:
        return None


def decode(head: Mapping[str, Any]) -> Message | None:
    """The inverse of `encode`; None for an unknown kind. Raises MessageError for invalid fields."""
    kind = kind_of(head)
    return None if kind is None else _DECODERS[kind](head)


def error_text(head: Mapping[str, Any]) -> str:
    """The text of a FATAL message, cut to ERROR_LIMIT characters."""
    return str(head.get("error", DEFAULT_ERROR))[:ERROR_LIMIT]


def _ready(head: Mapping[str, Any]) -> Ready:
    if not any(attribute.name in head for attribute in fields(WorkerReady)):
        return Ready()
    engine = head.get("engine")
    if not isinstance(engine, Mapping):
        raise MessageError("a worker's ready without its engine")
    facts = EngineFacts(_text(engine, "engine", ""), _text(engine, "model", ""), _text(engine, "device", ""))
    return WorkerReady(_text(head, "name"), facts, _text(head, "profile", ""), _rss_mib(head))


def _done(head: Mapping[str, Any]) -> Done:
    stages = head.get("stages", {})
    if not isinstance(stages, Mapping):
        raise MessageError("stages is no JSON object")
    return Done(
        _text(head, "capability"),
        _text(head, "outcome"),
        _count(head, "delivery", 1),
        {name: value for name, value in stages.items() if isinstance(name, str) and _is_number(value)},
        None if head.get("lines") is None else _count(head, "lines"),
        _rss_mib(head),
        _count(head, "in_hand", 1),
    )


def _leaving(head: Mapping[str, Any]) -> Leaving:
    return Leaving(_text(head, "reason", "stop"))


def _fatal(head: Mapping[str, Any]) -> Fatal:
    return Fatal(error_text(head))


def _malformed(head: Mapping[str, Any]) -> MalformedMessage:
    return MalformedMessage(_text(head, "message"))


def _task_failed(head: Mapping[str, Any]) -> TaskFailed:
    return TaskFailed(_text(head, "task"))


def _metrics(head: Mapping[str, Any]) -> MetricsReport:
    families = head.get("families")
    if not isinstance(families, list):
        raise MessageError("metrics without their families")
    return MetricsReport(_count(head, "pid"), families)


def _begun(head: Mapping[str, Any]) -> Begun:
    return Begun()


_DECODERS: Mapping[Kind, Callable[[Mapping[str, Any]], Message]] = {
    Kind.READY: _ready,
    Kind.DONE: _done,
    Kind.LEAVING: _leaving,
    Kind.FATAL: _fatal,
    Kind.MALFORMED: _malformed,
    Kind.TASK_FAILED: _task_failed,
    Kind.METRICS: _metrics,
    Kind.BEGUN: _begun,
}


def _text(head: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = head.get(name, default)
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise MessageError(f"{name} is missing, no text or too long")
    return value


def _count(head: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = head.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= COUNT_LIMIT:
        raise MessageError(f"{name} is missing, no whole number or out of bounds")
    return value


def _rss_mib(head: Mapping[str, Any]) -> float | None:
    value = head.get("rss_mib")
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= MEMORY_LIMIT_MIB:
        raise MessageError("rss_mib is no number or out of bounds")
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= NUMBER_LIMIT
