"""The messages of a control channel: what a child process sends to its supervisor, as JSON objects in frames.

    frames.send_frame(control, encode(Leaving("memory")))
    event = decode(head)                                # None: of a kind that this release does not know

A child may be of another release than its supervisor. So, as in `broker/messages.py`: a reader takes the fields it
knows, a field that came later has a default, a kind that is not known is left out, and what is of another type or out
of bounds raises the one error, `MessageError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeGuard

from inkgate.service.broker.messages import MessageError

TEXT_LIMIT = 4096  # characters of a name, a label or a reason
ERROR_LIMIT = 65_536  # characters of an error's text; more are cut off, for nothing else says why
COUNT_LIMIT = 2**31 - 1
MEMORY_LIMIT_MIB = 2.0**40
NUMBER_LIMIT = 1e18  # of any other number; neither infinity nor NaN is within it
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
    """A process takes work from now on."""

    kind: ClassVar[Kind] = Kind.READY


@dataclass(frozen=True, slots=True)
class WorkerReady(Ready):
    """A worker process is warm. `rss_mib` is its resident memory in MiB, None when it is unknown."""

    name: str
    engine: EngineFacts
    profile: str = ""
    rss_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A worker has answered one image. `stages` are seconds; `lines` is None where no text lines are counted;
    `in_hand` counts the images that the worker read at the same time, this one included."""

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
    """A worker ends by its own decision or by the supervisor's ("stop")."""

    kind: ClassVar[Kind] = Kind.LEAVING
    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Fatal:
    """A process could not start. `error` is for the operator."""

    kind: ClassVar[Kind] = Kind.FATAL
    error: str = DEFAULT_ERROR


@dataclass(frozen=True, slots=True)
class MalformedMessage:
    """A process could not understand a message; `message` is the kind as metrics count it ("task", "reply")."""

    kind: ClassVar[Kind] = Kind.MALFORMED
    message: str


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A background task of the process has failed and is started again."""

    kind: ClassVar[Kind] = Kind.TASK_FAILED
    task: str


@dataclass(frozen=True, slots=True)
class MetricsReport:
    """The metrics of a process; `families` is for `telemetry.merge.snapshot_from`, which checks it."""

    kind: ClassVar[Kind] = Kind.METRICS
    pid: int
    families: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Begun:
    """A process that reads one image alone begins to read it."""

    kind: ClassVar[Kind] = Kind.BEGUN


@dataclass(frozen=True, slots=True)
class Gone:
    """A child has ended. Made by the supervisor itself, never sent. `status` as in `subprocess.Popen.returncode`."""

    status: int
    pid: int


Message = Ready | Done | Leaving | Fatal | MalformedMessage | TaskFailed | MetricsReport | Begun
Event = Message | Gone


def encode(message: Message) -> dict[str, Any]:
    """The message as JSON types, its `kind` among them."""
    head: dict[str, Any] = {"kind": str(message.kind)}
    for each in fields(message):
        head[each.name] = getattr(message, each.name)
    if isinstance(message, WorkerReady):
        head["engine"] = asdict(message.engine)
    if isinstance(message, Done):
        head["stages"] = dict(message.stages)
    return head


def kind_of(head: Mapping[str, Any]) -> Kind | None:
    """The kind of an encoded message, whatever the rest of it is; None for one that is not known."""
    try:
        return Kind(head.get("kind"))  # type: ignore[arg-type]  # any value that is none of them raises
    except ValueError:
        return None


def decode(head: Mapping[str, Any]) -> Message | None:
    """The message of `encode`; None for a kind that is not known. Raises MessageError for anything else."""
    kind = kind_of(head)
    return None if kind is None else _DECODERS[kind](head)


def error_text(head: Mapping[str, Any]) -> str:
    """What a FATAL message says."""
    return str(head.get("error", DEFAULT_ERROR))[:ERROR_LIMIT]


def _ready(head: Mapping[str, Any]) -> Ready:
    if not any(each.name in head for each in fields(WorkerReady)):
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
