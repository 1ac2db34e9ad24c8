"""The embedded broker: one gateway process, worker processes on socket pairs, the queue in the gateway's memory.

Every attached socket is a seat. A seat that asked for work gets the oldest task; a seat whose socket closes while it
holds a task has died on it, and the task goes to the front of the queue with its delivery counted up.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from service.broker import frames
from service.broker.admission import Admission
from service.broker.calls import Calls
from service.broker.interface import Outcome, QueueState, Reply, Task
from service.broker.messages import Malformed, reply_from, task_head
from service.errors import BrokerDown

log = logging.getLogger(__name__)

Clock = Callable[[], float]
_Key = tuple[str, int]


class _Seat:
    """One worker process as the broker sees it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.asked = False
        self.task: Task | None = None
        self.since = 0.0


class LocalBroker:
    """A Broker over `attach`ed worker sockets. `expected` is the number of workers the fleet keeps up.

    `on_malformed` hears the kind of every message that could not be understood.
    """

    def __init__(
        self,
        *,
        max_tasks: int,
        max_bytes: int,
        expected: int = 1,
        clock: Clock = time.time,
        on_malformed: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self._on_malformed = on_malformed
        self._admission = Admission(max_tasks=max_tasks, max_bytes=max_bytes)
        self._expected = expected
        self._clock = clock
        self._calls = Calls()
        self._queue: OrderedDict[_Key, tuple[float, Task]] = OrderedDict()  # -> (queued since, task)
        self._waiting: Counter[str] = Counter()
        self._seats: set[_Seat] = set()
        self._servers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Nothing to open: workers are attached as they start."""

    async def close(self) -> None:
        """Close every seat; workers see the end of their stream and leave."""
        self._closed = True
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)

    def attach(self, sock: socket.socket) -> None:
        """Serve a worker process over our end of its socket pair. Call on the event loop."""
        server = asyncio.create_task(self._serve(sock))
        self._servers.add(server)
        server.add_done_callback(self._servers.discard)

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """See Broker.submit."""
        if self._closed:
            raise BrokerDown("the embedded broker is closed")
        now = self._clock()
        self._admission.enter(tasks, self._waiting, len(self._seats) or self._expected, now)
        call = self._calls.open(tasks)
        try:
            for task in tasks:
                self._push((task.call_id, task.number), now, task)
            self._hand_out()
            return await call.replies(min(task.deadline for task in tasks), now)
        finally:
            self._calls.close(call)
            self._admission.leave(tasks)
            for task in tasks:
                self._drop((task.call_id, task.number))

    async def state(self) -> QueueState:
        since = next(iter(self._queue.values()))[0] if self._queue else None
        return QueueState(
            depth=len(self._queue),
            in_flight=sum(seat.task is not None for seat in self._seats),
            oldest_age=0.0 if since is None else max(0.0, self._clock() - since),
            workers=len(self._seats),
        )

    def _push(self, key: _Key, since: float, task: Task, *, first: bool = False) -> None:
        self._queue[key] = since, task
        self._waiting[task.capability] += 1
        if first:
            self._queue.move_to_end(key, last=False)

    def _drop(self, key: _Key) -> None:
        entry = self._queue.pop(key, None)
        if entry is not None:
            self._waiting[entry[1].capability] -= 1

    def _hand_out(self) -> None:
        """Give the oldest tasks to the seats that asked; tasks past their deadline are answered instead."""
        now = self._clock()
        idle = [seat for seat in self._seats if seat.asked and seat.task is None]
        while idle and self._queue:
            key, (since, task) = next(iter(self._queue.items()))
            self._drop(key)
            if task.deadline <= now:
                self._calls.take(Reply(task.call_id, task.number, Outcome.EXPIRED))
                continue
            seat = idle.pop()
            seat.asked, seat.task, seat.since = False, task, now
            seat.writer.writelines(frames.pack({**task_head(task), "queued": now - since}, task.image))

    async def _serve(self, sock: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        seat = _Seat(writer)
        try:
            while True:
                try:
                    head, _ = await frames.read(reader)
                except Malformed as error:
                    self._refuse(seat, error)
                    continue
                kind = head.get("kind")
                if kind == "pull":
                    self._seats.add(seat)
                    seat.asked = True
                elif kind == "bye":
                    self._leave(seat, begun=False)
                    return
                elif kind == "reply":
                    self._finish(seat, head)
                else:
                    log.info("a worker's message of a kind that is not known here is left out")
                self._hand_out()
        except frames.PeerGone:
            pass
        except Exception:
            log.exception("a worker's seat is closed")  # it comes back on another one
        finally:
            self._leave(seat, begun=True)
            writer.close()

    def _finish(self, seat: _Seat, head: dict[str, object]) -> None:
        try:
            reply = reply_from(head)
        except Malformed as error:
            self._refuse(seat, error)
            return
        task = seat.task
        if task is not None and (task.call_id, task.number) != (reply.call_id, reply.number):
            self._refuse(seat, Malformed("a reply to another task than the one handed out"))
            return
        seat.task = None
        if task is not None and reply.busy:
            self._admission.observe(task.capability, reply.busy)
        self._calls.take(reply)

    def _refuse(self, seat: _Seat, error: Malformed) -> None:
        """What a worker said cannot be understood: the image it has in hand counts as failed and is not tried again."""
        self._on_malformed("reply")
        log.error("a worker's message cannot be understood: %s", error)
        task, seat.task = seat.task, None
        if task is not None:
            self._calls.take(Reply(task.call_id, task.number, Outcome.FAILED))

    def _leave(self, seat: _Seat, *, begun: bool) -> None:
        """A seat is gone. What it held goes back to the front, one delivery older if it may have been begun."""
        self._seats.discard(seat)
        task, seat.task = seat.task, None
        if task is not None and not self._closed and self._awaited(task):
            again = replace(task, delivery=task.delivery + 1) if begun else task
            self._push((task.call_id, task.number), seat.since, again, first=True)
            self._hand_out()

    def _awaited(self, task: Task) -> bool:
        return self._calls.awaits(task.call_id, task.number)
