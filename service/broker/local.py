"""The embedded broker: one gateway process, worker processes on socket pairs, the queue in the gateway's memory.

Each worker thread has one connection. A connection that requested work gets the next task in fair order. When a
connection closes while it holds a task, the task is queued again at its place with `delivery` incremented.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from inkgate.service.broker import frames
from inkgate.service.broker.admission import QueueAdmission
from inkgate.service.broker.calls import PendingCalls
from inkgate.service.broker.fair_queue import FairQueue, QueuedTask
from inkgate.service.broker.holdoff import (
    DEATH_POINTS,
    OVERRUN_GRACE_SHARE,
    OVERRUN_POINTS,
    HoldOffRule,
    HoldOffs,
    counts_as_overrun,
)
from inkgate.service.broker.interface import Outcome, QueueState, Reply, Task
from inkgate.service.broker.messages import MessageError, decode_reply, encode_task
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)

Clock = Callable[[], float]


class _Connection:
    """One connected worker thread."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.asked = False
        self.entry: QueuedTask | None = None
        self.begun = 0.0  # dispatch time of the entry, Unix time in seconds


class LocalBroker:
    """A Broker over `attach`ed worker sockets. `expected` is the number of workers that the supervisor keeps running.

    `weights` are app weights other than 1.0; `rule` configures hold-off. `overrun` is the grace in seconds that the
    watchdog of a worker gives an image after its deadline. `on_malformed` is called with the kind ("task", "reply") of
    every malformed message.
    """

    def __init__(
        self,
        *,
        max_tasks: int,
        max_bytes: int,
        expected: int = 1,
        clock: Clock = time.time,
        weights: Mapping[str, float] | None = None,
        rule: HoldOffRule | None = None,
        overrun: float = 5.0,
        on_malformed: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._on_malformed = on_malformed
        self._admission = QueueAdmission(max_tasks=max_tasks, max_bytes=max_bytes, weights=weights)
        self._queue = FairQueue(weights)
        self._holdoffs = HoldOffs(rule or HoldOffRule())
        self._overrun_grace = OVERRUN_GRACE_SHARE * overrun
        self._expected = expected
        self._clock = clock
        self._calls = PendingCalls()
        self._connections: set[_Connection] = set()
        self._servers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Nothing to do: workers are attached as they start."""

    async def close(self) -> None:
        """Close every connection; workers see the end of their stream and exit."""
        self._closed = True
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)

    def attach(self, sock: socket.socket) -> None:
        """Serve a worker over the gateway's end of its socket pair. To be called on the event loop."""
        server = asyncio.create_task(self._serve(sock))
        self._servers.add(server)
        server.add_done_callback(self._servers.discard)

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """See Broker.submit."""
        if self._closed:
            raise BrokerUnavailable("the embedded broker is closed")
        now = self._clock()
        self._admission.acquire(tasks, self._queue.waiting, len(self._connections) or self._expected, now)
        call = None
        try:
            call = self._calls.open(tasks)
            for task in tasks:
                self._queue.push(task, now)
            self._dispatch()
            return await call.replies(min(task.deadline for task in tasks), now)
        finally:
            self._admission.release(tasks)
            if call is not None:
                self._calls.close(call)
                for task in tasks:
                    self._queue.remove((task.call_id, task.number))

    async def state(self) -> QueueState:
        since = self._queue.oldest_since()
        return QueueState(
            depth=len(self._queue),
            in_flight=sum(connection.entry is not None for connection in self._connections),
            oldest_age=0.0 if since is None else max(0.0, self._clock() - since),
            workers=len(self._connections),
            held=self._holdoffs.count_held(self._clock()),
        )

    def held(self, app: str) -> float:
        """See Broker.held."""
        return self._holdoffs.remaining_seconds(app, self._clock())

    def _dispatch(self) -> None:
        """Dispatch tasks to idle connections; tasks past their deadline and those of held-off apps are answered."""
        now = self._clock()
        idle_connections = [
            connection for connection in self._connections if connection.asked and connection.entry is None
        ]
        while idle_connections and (entry := self._queue.pop()) is not None:
            task = entry.task
            if task.deadline <= now:
                self._calls.deliver_reply(Reply(task.call_id, task.number, Outcome.EXPIRED))
            elif self._holdoffs.remaining_seconds(task.app, now):
                self._calls.deliver_reply(Reply(task.call_id, task.number, Outcome.FAILED))
            else:
                connection = idle_connections.pop()
                connection.asked, connection.entry, connection.begun = False, entry, now
                queued = now - entry.since
                connection.writer.writelines(frames.encode_frame({**encode_task(task), "queued": queued}, task.image))

    async def _serve(self, sock: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        connection = _Connection(writer)
        try:
            while True:
                try:
                    header, _ = await frames.read_frame(reader)
                except MessageError as error:
                    self._fail_malformed(connection, error)
                    continue
                kind = header.get("kind")
                if kind == "pull":
                    self._connections.add(connection)
                    connection.asked = True
                elif kind == "bye":
                    self._on_disconnect(connection, begun=False)
                    return
                elif kind == "reply":
                    self._on_reply(connection, header)
                else:
                    log.info("a worker's message of a kind that is not known here is left out")
                self._dispatch()
        except frames.PeerClosed:
            pass
        except Exception:
            log.exception("a worker's connection is closed")  # the worker process is restarted with a new one
        finally:
            self._on_disconnect(connection, begun=True)
            writer.close()

    def _on_reply(self, connection: _Connection, header: dict[str, object]) -> None:
        try:
            reply = decode_reply(header)
        except MessageError as error:
            self._fail_malformed(connection, error)
            return
        entry = connection.entry
        if entry is not None and (entry.task.call_id, entry.task.number) != (reply.call_id, reply.number):
            self._fail_malformed(connection, MessageError("a reply to another task than the one handed out"))
            return
        connection.entry = None
        if entry is not None and reply.busy:
            self._admission.record_service_time(entry.task.capability, reply.busy)
        if entry is not None and reply.killed:
            self._record_fault(entry.task, DEATH_POINTS)
        self._calls.deliver_reply(reply)

    def _fail_malformed(self, connection: _Connection, error: MessageError) -> None:
        """Handle a malformed message of a worker: its current image fails and is not retried."""
        self._on_malformed("reply")
        log.error("a worker's message cannot be understood: %s", error)
        entry, connection.entry = connection.entry, None
        if entry is not None:
            self._calls.deliver_reply(Reply(entry.task.call_id, entry.task.number, Outcome.FAILED))

    def _on_disconnect(self, connection: _Connection, *, begun: bool) -> None:
        """Handle a closed connection: its task is queued again, with one more delivery if it may have been started.

        A started image is read once more, in isolation, even when no client waits for it: otherwise disconnecting in
        time would prevent a hold-off.
        """
        self._connections.discard(connection)
        entry, connection.entry = connection.entry, None
        if entry is None or self._closed:
            return
        task = entry.task
        ended_by_watchdog = begun and self._clock() > task.deadline + self._overrun_grace
        if ended_by_watchdog and counts_as_overrun(task.deadline - connection.begun, task.deadline - entry.since):
            self._record_fault(task, OVERRUN_POINTS)
        if self._is_awaited(task) or (begun and task.delivery == 1):
            again = replace(task, delivery=task.delivery + 1) if begun else task
            self._queue.requeue(replace(entry, task=again))
            self._dispatch()

    def _record_fault(self, task: Task, points: int) -> None:
        seconds = self._holdoffs.record_fault(task.app, self._clock(), points)
        if seconds:
            log.error("held off: images of this app killed workers", extra={"app": task.app, "seconds": seconds})

    def _is_awaited(self, task: Task) -> bool:
        return self._calls.is_waiting_for(task.call_id, task.number)
