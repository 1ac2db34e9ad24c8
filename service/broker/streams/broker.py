"""Gateway side of the Redis Streams broker: submit tasks, await replies, reconnect."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

import orjson
from redis.exceptions import RedisError, ResponseError

from inkgate.service.background import Background, BackgroundTask
from inkgate.service.broker.admission import QueueAdmission
from inkgate.service.broker.calls import PendingCall, PendingCalls
from inkgate.service.broker.fair_queue import BURST_IMAGES
from inkgate.service.broker.interface import QueueState, Reply, Task
from inkgate.service.broker.messages import MessageError, decode_reply
from inkgate.service.broker.shares import DEFAULT_WEIGHT
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import GROUP, Keys, encode_entry, queue_member
from inkgate.service.broker.streams.scripts import script_source
from inkgate.service.broker.streams.state import QueueSnapshot, read_state, script
from inkgate.service.errors import BrokerUnavailable, Overloaded

log = logging.getLogger(__name__)

_CONNECTIONS = 16
_CHUNK_BYTES = 8 * 2**20
_CHUNK_TASKS = 16
_SMALL_BYTES = 64 * 1024  # larger payloads are not passed to a script, which would copy them
_PAYLOAD_GRACE_MS = 30_000  # a payload outlives its deadline, for a worker that has just started it
_RECONNECT_WAIT_SECONDS = 5.0  # how long a call waits for an unreachable server
_STATE_INTERVAL_SECONDS = 0.5
_STATE_STALE_SECONDS = 3.0
_MIN_BACKOFF_SECONDS = 0.1
_MAX_BACKOFF_SECONDS = 1.0


class StreamsBroker:
    """A Broker over one Redis or Valkey. Every gateway process has one, with a name of its own.

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
        self._reader = client.async_client(url, 1)
        self._state = script(self._redis)
        self._submit = self._redis.register_script(script_source("submit"))
        self._withdrawal = self._redis.register_script(script_source("withdraw"))
        self._keys = keys
        self._reply_to = keys.replies(gateway or uuid.uuid4().hex)
        self._admission = QueueAdmission(max_tasks=max_tasks, max_bytes=max_bytes, weights=weights)
        self._weights = weights or {}
        self._calls = PendingCalls()
        self._submitted: dict[tuple[str, int], Task] = {}  # submitted tasks without a reply
        self._snapshot = QueueSnapshot()
        self._state_at = time.monotonic()
        self._waiting: defaultdict[str, Counter[str]] = defaultdict(Counter)
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
        self._admission.acquire(tasks, self._waiting, self._snapshot.state.workers, now)
        call = None
        try:
            call = self._calls.open(tasks)
            await self._queue(tasks, min(deadline, now + _RECONNECT_WAIT_SECONDS))
            _reraise_swallowed_cancellation()
            return await call.replies(deadline, time.time())
        finally:
            self._admission.release(tasks)
            if call is not None:
                await self._close_call(call)

    async def state(self) -> QueueState:
        """The state of the whole queue (all gateways), about half a second old.

        Raises BrokerUnavailable when the last state is older than _STATE_STALE_SECONDS.
        """
        if time.monotonic() - self._state_at > _STATE_STALE_SECONDS:
            raise BrokerUnavailable("the queue has not been seen for a while")
        return self._snapshot.state

    def held(self, app: str) -> float:
        """See Broker.held; a new hold-off is known after half a second."""
        return max(0.0, self._snapshot.held.get(app, 0.0) - (time.monotonic() - self._state_at))

    async def _queue(self, tasks: Sequence[Task], until: float) -> None:
        """Submit tasks; retry an unreachable server until `until` (Unix time in seconds)."""
        backoff = _MIN_BACKOFF_SECONDS
        for chunk in _chunks(tasks):
            while True:
                try:
                    await self._add(chunk)
                    self._submitted.update(((task.call_id, task.number), task) for task in chunk)
                    break
                except ResponseError as error:
                    if client.is_out_of_memory(error):
                        raise Overloaded("the queue's server is out of memory") from error
                    raise BrokerUnavailable(str(error)) from error
                except client.TRANSIENT_ERRORS as error:
                    if time.time() + backoff > until:
                        raise BrokerUnavailable(str(error)) from error
                await asyncio.sleep(backoff)
                backoff = min(_MAX_BACKOFF_SECONDS, backoff * 2)

    async def _add(self, chunk: Sequence[Task]) -> None:
        """Submit tasks to the fair queue, one capability and one app at a time."""
        first = chunk[0]
        if any(task.app != first.app or task.capability != first.capability for task in chunk):
            for task in chunk:
                await self._add([task])
            return
        keys = (self._keys.stream(first.capability), self._keys.held)
        small = sum(len(task.image) for task in chunk) <= _SMALL_BYTES  # one command: half the CPU
        arguments: list[str | bytes | float] = [
            GROUP,
            self._keys.images,
            first.app,
            self._cost(first),
            BURST_IMAGES,
            self._snapshot.legacy_workers,
            int(small),
        ]
        async with self._redis.pipeline(transaction=False) as commands:
            for task in chunk:
                ttl = max(1, int((task.deadline - time.time()) * 1000))
                ttl_ms = ttl + _PAYLOAD_GRACE_MS
                arguments += (
                    queue_member(task),
                    encode_entry(task, ttl, self._reply_to),
                    ttl_ms,
                    task.image if small else b"",
                )
                if not small:
                    commands.set(self._keys.image(task), task.image, px=ttl_ms)
            await commands.execute()
        await self._submit(keys=keys, args=arguments)  # after the payloads
        self._waiting[first.capability][first.app] += len(chunk)

    def _cost(self, task: Task) -> float:
        return 1 / self._weights.get(task.app, DEFAULT_WEIGHT)

    async def _close_call(self, call: PendingCall) -> None:
        """Close a call and withdraw its unanswered tasks."""
        self._calls.close(call)
        submitted = {number for number in call.tasks if self._submitted.pop((call.call_id, number), None) is not None}
        if call.unanswered:
            await self._withdraw(call.unanswered, submitted)

    async def _withdraw(self, tasks: Sequence[Task], submitted: Container[int]) -> None:
        """Remove the tasks of one call from the queue and delete the payloads of those that no worker has started.
        `submitted` are the numbers of the tasks that the server has queued: the others cannot have been started."""
        first = tasks[0]
        names = [queue_member(task) for task in tasks if task.number in submitted]
        others = [queue_member(task) for task in tasks if task.number not in submitted]
        arguments: list[str | float] = [self._keys.images, first.app, self._cost(first), len(names), *names, *others]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._withdrawal(keys=[self._keys.stream(first.capability)], args=arguments)

    async def _listen(self) -> None:
        """Read replies in a loop. A stream, not a list: replies lost with a connection are read again."""
        self._up, last = False, b"0"
        backoff = _MIN_BACKOFF_SECONDS
        while True:
            try:
                last = await self._read(last)
                if not self._up:
                    last = await self._resubmit_lost(last)
                    self._up = True
                backoff = _MIN_BACKOFF_SECONDS
            except (RedisError, OSError) as error:
                if self._up:
                    log.warning("the queue's server is out of reach: %s", error)
                self._up, last = False, b"0"
                await asyncio.sleep(backoff)
                backoff = min(_MAX_BACKOFF_SECONDS, backoff * 2)

    async def _read(self, last: bytes) -> bytes:
        """Handle the replies after `last` and delete them on the server; returns the id of the last one."""
        block = 1000 if self._up else None
        found: Any = await self._reader.xread({self._reply_to: last}, count=256, block=block)
        for _, entries in found or ():
            for _, fields in entries:
                self._handle_reply_entry(fields)
            last = entries[-1][0]
            await self._reader.xtrim(self._reply_to, minid=_after(last), approximate=False)
        return last

    async def _resubmit_lost(self, last: bytes) -> bytes:
        """After a reconnect: submit tasks again that are neither answered nor known to the server.

        A server that restarted without data has lost the tasks; this process still has their images.
        """
        now = time.time()
        waiting = [
            task for key, task in self._submitted.items() if self._calls.is_waiting_for(*key) and task.deadline > now
        ]
        if not waiting:
            return last
        async with self._reader.pipeline(transaction=False) as commands:
            for task in waiting:
                commands.exists(self._keys.image(task))
            known = await commands.execute()
        lost = [task for task, there in zip(waiting, known, strict=True) if not there]
        if lost:
            last = await self._read(last)  # a payload deleted by a newer reply is not lost
            lost = [task for task in lost if self._calls.is_waiting_for(task.call_id, task.number)]
        if lost:
            log.warning("%d images were lost with the server's memory: queued again", len(lost))
            for chunk in _chunks(lost):
                await self._add(chunk)
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
                self._snapshot = await read_state(self._state, self._keys)
                self._state_at = time.monotonic()
                self._waiting = defaultdict(Counter, self._snapshot.waiting)
                if self._snapshot.legacy_workers and self._snapshot.state.depth:
                    await self._feed_old_workers()
            await asyncio.sleep(_STATE_INTERVAL_SECONDS)

    async def _feed_old_workers(self) -> None:
        """Keep a stream entry for each worker of an older release, which reads only the streams."""
        for stream in self._keys.streams():
            arguments: list[str | float] = [
                GROUP,
                self._keys.images,
                "",
                1.0,
                BURST_IMAGES,
                self._snapshot.legacy_workers,
                0,
            ]
            await self._submit(keys=[stream, self._keys.held], args=arguments)


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Split tasks into chunks for one transaction each: large images must not block the server or fill its buffers."""
    chunk: list[Task] = []
    size = 0
    for task in tasks:
        if chunk and (len(chunk) >= _CHUNK_TASKS or size + len(task.image) > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(task)
        size += len(task.image)
    if chunk:
        yield chunk


def _reraise_swallowed_cancellation() -> None:
    """Raise the CancelledError of this asyncio task if redis-py swallowed it: otherwise the images of a disconnected
    client would be read."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _after(entry_id: bytes) -> str:
    """The smallest id after an entry of a stream: trimming to it deletes that entry too, which has a result."""
    milliseconds, _, number = entry_id.decode().partition("-")
    return f"{milliseconds}-{int(number) + 1}"
