"""The embedded broker: one gateway process, worker processes on socket pairs, the queue in the gateway's memory.

Every attached socket is a seat. A seat that asked for work gets the next task in fair order; a seat whose socket closes
while it holds a task has died on it, and the task keeps its place in that order, its delivery counted up.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from inkgate.service.broker import frames
from inkgate.service.broker.admission import Admission
from inkgate.service.broker.calls import Calls
from inkgate.service.broker.fair_queue import FairQueue, Waiting
from inkgate.service.broker.holdoff import DEATH_POINTS, OVERRAN, OVERRUN_POINTS, HoldOffRule, HoldOffs, held_throughout
from inkgate.service.broker.interface import Outcome, QueueState, Reply, Task
from inkgate.service.broker.messages import Malformed, reply_from, task_head
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)

Clock = Callable[[], float]


class _Seat:
    """One worker process as the broker sees it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.asked = False
        self.entry: Waiting | None = None
        self.begun = 0.0  # when the entry was handed out, Unix time


class LocalBroker:
    """A Broker over `attach`ed worker sockets. `expected` is the number of workers the fleet keeps up.

    `weights` are those of apps that have another one than 1.0; `rule` says when an app is held off. `overrun` is what
    a worker's watchdog grants an image past its deadline, in seconds. `on_malformed` hears the kind of every message
    that could not be understood.
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
        self._admission = Admission(max_tasks=max_tasks, max_bytes=max_bytes, weights=weights)
        self._queue = FairQueue(weights)
        self._holdoffs = HoldOffs(rule or HoldOffRule())
        self._overran = OVERRAN * overrun
        self._expected = expected
        self._clock = clock
        self._calls = Calls()
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
            raise BrokerUnavailable("the embedded broker is closed")
        now = self._clock()
        self._admission.enter(tasks, self._queue.waiting, len(self._seats) or self._expected, now)
        call = None
        try:
            call = self._calls.open(tasks)
            for task in tasks:
                self._queue.push(task, now)
            self._hand_out()
            return await call.replies(min(task.deadline for task in tasks), now)
        finally:
            self._admission.leave(tasks)
            if call is not None:
                self._calls.close(call)
                for task in tasks:
                    self._queue.remove((task.call_id, task.number))

    async def state(self) -> QueueState:
        since = self._queue.oldest()
        return QueueState(
            depth=len(self._queue),
            in_flight=sum(seat.entry is not None for seat in self._seats),
            oldest_age=0.0 if since is None else max(0.0, self._clock() - since),
            workers=len(self._seats),
            held=self._holdoffs.held(self._clock()),
        )

    def held(self, app: str) -> float:
        """See Broker.held."""
        return self._holdoffs.left(app, self._clock())

    def _hand_out(self) -> None:
        """Give the seats that asked their next tasks; tasks past their deadline, and those of an app that has been held
        off since, are answered instead."""
        now = self._clock()
        idle = [seat for seat in self._seats if seat.asked and seat.entry is None]
        while idle and (entry := self._queue.pop()) is not None:
            task = entry.task
            if task.deadline <= now:
                self._calls.take(Reply(task.call_id, task.number, Outcome.EXPIRED))
            elif self._holdoffs.left(task.app, now):
                self._calls.take(Reply(task.call_id, task.number, Outcome.FAILED))
            else:
                seat = idle.pop()
                seat.asked, seat.entry, seat.begun = False, entry, now
                queued = now - entry.since
                seat.writer.writelines(frames.pack({**task_head(task), "queued": queued}, task.image))

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
        entry = seat.entry
        if entry is not None and (entry.task.call_id, entry.task.number) != (reply.call_id, reply.number):
            self._refuse(seat, Malformed("a reply to another task than the one handed out"))
            return
        seat.entry = None
        if entry is not None and reply.busy:
            self._admission.observe(entry.task.capability, reply.busy)
        if entry is not None and reply.killed:
            self._strike(entry.task, DEATH_POINTS)
        self._calls.take(reply)

    def _refuse(self, seat: _Seat, error: Malformed) -> None:
        """What a worker said cannot be understood: the image it has in hand counts as failed and is not tried again."""
        self._on_malformed("reply")
        log.error("a worker's message cannot be understood: %s", error)
        entry, seat.entry = seat.entry, None
        if entry is not None:
            self._calls.take(Reply(entry.task.call_id, entry.task.number, Outcome.FAILED))

    def _leave(self, seat: _Seat, *, begun: bool) -> None:
        """A seat is gone. What it held goes back to its place, one delivery older if it may have been begun.

        What was begun is read alone, once, even when nobody waits for it any more: whoever hangs up in time would never
        be held off otherwise.
        """
        self._seats.discard(seat)
        entry, seat.entry = seat.entry, None
        if entry is None or self._closed:
            return
        task = entry.task
        ended_by_watchdog = begun and self._clock() > task.deadline + self._overran
        if ended_by_watchdog and held_throughout(task.deadline - seat.begun, task.deadline - entry.since):
            self._strike(task, OVERRUN_POINTS)
        if self._awaited(task) or (begun and task.delivery == 1):
            again = replace(task, delivery=task.delivery + 1) if begun else task
            self._queue.put_back(replace(entry, task=again))
            self._hand_out()

    def _strike(self, task: Task, points: int) -> None:
        seconds = self._holdoffs.strike(task.app, self._clock(), points)
        if seconds:
            log.error("held off: images of this app killed workers", extra={"app": task.app, "seconds": seconds})

    def _awaited(self, task: Task) -> bool:
        return self._calls.awaits(task.call_id, task.number)
