"""Gateway side of the Redis Streams broker: submit tasks, await replies, reconnect."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from redis.exceptions import RedisError, ResponseError

from inkgate.service.background import Background, BackgroundTask
from inkgate.service.broker.admission import QueueAdmission
from inkgate.service.broker.calls import PendingCalls
from inkgate.service.broker.interface import QueueState, Reply, Task
from inkgate.service.broker.messages import MessageError, decode_reply
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.state import QueueView
from inkgate.service.broker.streams.submission import MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS, TaskSender, chunks
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.redis_batches import CommandBatches, RoundTrips, packed_command

log = logging.getLogger(__name__)

_CONNECTIONS = 16
_READ_COUNT = 256  # replies
_READ_BLOCK_MS = 1000
_RECONNECT_WAIT_SECONDS = 5.0  # how long a call waits for an unreachable server
_STATE_INTERVAL_SECONDS = 0.5


class StreamsBroker:
    """A Broker over one Redis or Valkey. Every gateway process has one, with a name of its own.

    Its `commands` may be used for other keys of the same server, so that they share its round trips.
    `weights` are app weights other than 1.0. `on_malformed` is called with the kind of every malformed message.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        max_tasks: int,
        max_bytes: int,
        gateway: str = "",
        weights: Mapping[str, float] | None = None,
        on_malformed: Callable[[str], None] = lambda kind: None,
        background: Background | None = None,
    ) -> None:
        self._on_malformed = on_malformed
        self._redis = client.async_client(url, _CONNECTIONS)
        self.commands = CommandBatches(self._redis)
        self._reader = client.async_client(url, 1)
        self._reading = RoundTrips(self._reader)
        self._keys = keys
        self._reply_to = keys.replies(gateway or uuid.uuid4().hex)
        self._admission = QueueAdmission(max_tasks=max_tasks, max_bytes=max_bytes, weights=weights)
        self._calls = PendingCalls()
        self._view = QueueView(self._redis, keys)
        self._sender = TaskSender(self._redis, self.commands, keys, self._reply_to, self._view, weights or {})
        background = background or Background()
        self._loops: list[BackgroundTask] = [
            background.task("reply-listener", self._listen, essential=True),
            background.task("queue-watch", self._refresh_state, essential=True),
        ]
        self._up = False

    async def start(self) -> None:
        """Start the background tasks. An unreachable server is no error here: readiness reports it, and calls wait."""
        for loop in self._loops:
            loop.start()

    async def close(self) -> None:
        await asyncio.gather(*(loop.close() for loop in self._loops))
        with contextlib.suppress(RedisError, OSError):
            await self._redis.delete(self._reply_to)
        await self.commands.close()
        await self._reading.close()
        await self._reader.aclose()
        await self._redis.aclose()

    async def check(self) -> None:
        """Readiness check. Raises BrokerUnavailable when the server does not answer."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(str(error)) from error

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """See Broker.submit."""
        now = time.time()
        deadline = min(task.deadline for task in tasks)
        self._admission.acquire(tasks, self._view.waiting, self._view.workers, now)
        call = None
        try:
            call = self._calls.open(tasks)
            await self._sender.submit(tasks, min(deadline, now + _RECONNECT_WAIT_SECONDS))
            _reraise_swallowed_cancellation()
            return await call.replies(deadline, time.time())
        finally:
            self._admission.release(tasks)
            if call is not None:
                self._calls.close(call)
                await self._sender.give_up(call)

    async def state(self) -> QueueState:
        """The state of the whole queue (all gateways), about half a second old.

        Raises BrokerUnavailable when the last state is older than three seconds.
        """
        return self._view.state()

    def held(self, app: str) -> float:
        """See Broker.held; a new hold-off is known after half a second."""
        return self._view.held(app)

    async def _listen(self) -> None:
        """Read replies in a loop. A stream, not a list: replies lost with a connection are read again."""
        self._up, last = False, b"0"
        backoff = MIN_BACKOFF_SECONDS
        while True:
            try:
                last = await self._read(last)
                if not self._up:
                    last = await self._resubmit_lost(last)
                    self._up = True
                backoff = MIN_BACKOFF_SECONDS
            except (RedisError, OSError) as error:
                if self._up:
                    log.warning("the queue's server is out of reach: %s", error)
                self._up, last = False, b"0"
                await asyncio.sleep(backoff)
                backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def _read(self, last: bytes) -> bytes:
        """Handle the replies after `last`; returns the id of the last one. Those up to `last` are deleted on the server
        in the same round trip."""
        block = ("BLOCK", _READ_BLOCK_MS) if self._up else ()
        answers = await self._reading.send(
            [
                packed_command("XTRIM", self._reply_to, "MINID", _after(last)),
                packed_command("XREAD", "COUNT", _READ_COUNT, *block, "STREAMS", self._reply_to, last),
            ]
        )
        _raise_first_error(answers)
        for _, entries in answers[1] or ():
            for _, flat in entries:
                self._handle_reply_entry(dict(zip(flat[::2], flat[1::2], strict=True)))
            last = entries[-1][0]
        return last

    async def _resubmit_lost(self, last: bytes) -> bytes:
        """After a reconnect: submit tasks again that are neither answered nor known to the server.

        A server that restarted without data has lost the tasks; this process still has their images.
        """
        now = time.time()
        waiting = [
            task
            for key, task in self._sender.unanswered.items()
            if self._calls.is_waiting_for(*key) and task.deadline > now
        ]
        if not waiting:
            return last
        known = await self._reading.send([packed_command("EXISTS", self._keys.image(task)) for task in waiting])
        _raise_first_error(known)
        lost = [task for task, there in zip(waiting, known, strict=True) if not there]
        if lost:
            last = await self._read(last)  # a payload deleted by a newer reply is not lost
            lost = [task for task in lost if self._calls.is_waiting_for(task.call_id, task.number)]
        if lost:
            log.warning("%d images were lost with the server's memory: queued again", len(lost))
            for chunk in chunks(lost):
                await self._sender.add(chunk)
        return last

    def _handle_reply_entry(self, fields: Mapping[bytes, bytes]) -> None:
        """Deliver one reply to its call. A malformed one fails its call if it names one, else it is dropped. Never
        raises, because the entry would be read again without end."""
        try:
            self._deliver_reply(decode_reply(orjson.loads(fields[b"reply"])))
        except Exception as error:
            self._on_malformed("reply")
            if not isinstance(error, MessageError):  # its text may contain recognised text
                log.error("a worker's reply cannot be understood: %s", type(error).__name__)
                return
            log.error("a worker's reply cannot be understood: %s", error)
            if error.answer is not None:
                self._calls.deliver_reply(error.answer)

    def _deliver_reply(self, reply: Reply) -> None:
        task = self._calls.task(reply.call_id, reply.number)
        if self._calls.deliver_reply(reply) and task is not None and reply.busy:
            self._admission.record_service_time(task.capability, reply.busy)

    async def _refresh_state(self) -> None:
        """Refresh the state of the queue twice a second; own submissions are added in between."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._view.refresh()
                if self._view.legacy_workers and self._view.depth:
                    await self._sender.feed_old_workers()
            await asyncio.sleep(_STATE_INTERVAL_SECONDS)


def _raise_first_error(answers: Iterable[Any]) -> None:
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer


def _reraise_swallowed_cancellation() -> None:
    """Raise the CancelledError of this asyncio task if redis-py swallowed it: otherwise the images of a disconnected
    client would be read."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _after(entry_id: bytes) -> str:
    """The smallest id after an entry of a stream: trimming to it deletes that entry too, which has a result."""
    milliseconds, _, number = entry_id.decode().partition("-")
    return f"{milliseconds}-{int(number or 0) + 1}"  # the start of a stream is "0"
