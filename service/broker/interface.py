"""The interface between gateways and workers. Two implementations, one test suite: `local` (one process tree) and
`streams` (Redis).

A call of n images becomes n tasks. The gateway submits them together and awaits n replies; a worker pulls tasks, reads
the image and replies. Delivery is at least once; replies are matched by (call_id, number), duplicates are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """The outcome of one image."""

    READ = "read"  # `element` is the result
    UNDECODABLE = "decode"  # the image is corrupt: the image-level decode error
    FAILED = "failed"  # the engine failed or the image is a poison image: the internal error
    EXPIRED = "expired"  # the deadline passed before a worker started it


@dataclass(frozen=True, slots=True)
class Task:
    """One image of one call. `deadline` is Unix time in seconds; `image` is the file's bytes, not base64.

    `trace` is the W3C traceparent of the call, which links the worker's spans and logs to the gateway's.
    `app` is the AppKey of the caller, by which fair sharing and hold-off work.
    The broker sets `delivery` (1 for the first worker) and `queued` (seconds waited).
    """

    call_id: str
    number: int
    capability: str
    deadline: float
    image: bytes
    extras: bool = False
    delivery: int = 1
    trace: str = ""
    queued: float = 0.0
    app: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to one task. `element` is the contract's element (plain JSON types) when the outcome is READ.

    `busy` is the worker's current cost of an image in seconds, including fetching and replying; brokers use it for
    forecasts, 0.0 means unknown. `killed`: a process that read only this image died.
    """

    call_id: str
    number: int
    outcome: Outcome
    element: Mapping[str, Any] | None = None
    worker: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)  # seconds per stage, "queue" and "infer" among them
    busy: float = 0.0
    killed: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """State of the queue for admission and metrics: `depth` tasks wait, `in_flight` are at workers, `oldest_age` is the
    age of the oldest waiting task in seconds, `workers` are alive, `held` apps are held off.
    """

    depth: int
    in_flight: int
    oldest_age: float
    workers: int
    held: int = 0


class Broker(Protocol):
    """The gateway side. Safe for concurrent use on one event loop."""

    async def start(self) -> None: ...

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """Queue all tasks of one call and await all replies, in the order of the tasks.

        Raises errors.Overloaded when a queue limit is exceeded or the deadline cannot be met, errors.BrokerUnavailable
        when the queue is unreachable, errors.DeadlineMissed when replies are missing at the deadline. Cancelling the
        awaiting coroutine (the client disconnected) withdraws the tasks that no worker has started.
        """

    async def state(self) -> QueueState: ...

    def held(self, app: str) -> float:
        """Remaining seconds of the app's hold-off, 0.0 when it is not held off."""

    async def close(self) -> None: ...


class WorkerPort(Protocol):
    """The worker side: blocking, used by one worker thread. When a port is lost, its tasks go to another worker."""

    def pull(self, timeout: float) -> Task | None:
        """The next task, None when none arrived within `timeout` seconds. Expired tasks are skipped."""

    def reply(self, task: Task, reply: Reply) -> None: ...

    def close(self) -> None: ...
