"""The seam between gateways and workers. Two implementations, one test suite: `local` (one process tree) and `redis`.

A call of n images becomes n tasks. The gateway submits them together and awaits n replies; a worker pulls tasks,
reads the picture, and answers. Delivery is at least once; replies are matched by (call_id, number), duplicates dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """How the reading of one image ended."""

    READ = "read"  # element holds the answer
    UNDECODABLE = "decode"  # the picture is corrupt: the image-level decode error
    FAILED = "failed"  # the engine failed or the image was set aside as poison: the internal error
    EXPIRED = "expired"  # the deadline passed before a worker took it


@dataclass(frozen=True, slots=True)
class Task:
    """One image of one call. `deadline` is Unix time in seconds; `image` holds the decoded (not base64) file bytes.

    `trace` is the W3C traceparent of the call, so that the worker's spans and logs join the gateway's.
    `app` is the AppKey of the app that calls: apps share workers and room by it, and answer for what their images kill.
    The broker fills in `delivery` (1 for the first worker that gets it) and `queued` (seconds it waited) on the way.
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
    """The answer to one task. `element` is the contract's element (plain JSON types) when the outcome is READ.

    `busy` is what an image costs its worker at the moment, in seconds: reading it, and fetching and answering as well.
    Brokers forecast by it; 0.0 says nothing. `killed`: a process that read this image alone died of it.
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
    """What admission and metrics look at: tasks waiting, tasks in work, age of the oldest waiting, live workers.

    `held` is the number of apps that are held off.
    """

    depth: int
    in_flight: int
    oldest_age: float
    workers: int
    held: int = 0


class Broker(Protocol):
    """The gateway's side. Safe for concurrent use on one event loop."""

    async def start(self) -> None: ...

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """Queue all tasks of one call and await all replies, in the order of the tasks.

        Raises errors.Overloaded when a queue limit is exceeded or the deadline cannot be met, errors.BrokerUnavailable
        when the queue is unreachable, errors.DeadlineMissed when replies are missing at the deadline. Cancelling the
        awaiting coroutine (the client disconnected) withdraws the tasks that no worker has started.
        """

    async def state(self) -> QueueState: ...

    def held(self, app: str) -> float:
        """Seconds for which the app is still held off, for its images killed workers; 0.0: it is not."""

    async def close(self) -> None: ...


class WorkerPort(Protocol):
    """The worker's side: blocking, used from one worker process. Losing the port gives its tasks to another worker."""

    def pull(self, timeout: float) -> Task | None:
        """The next live task, or None when none came within `timeout` seconds. Expired ones are skipped."""

    def reply(self, task: Task, reply: Reply) -> None: ...

    def close(self) -> None: ...
