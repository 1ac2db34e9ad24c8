"""A gateway's side of the streams: queue the tasks of a call, await their replies, survive the server's absence."""

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
from inkgate.service.broker.admission import Admission
from inkgate.service.broker.calls import Call, Calls
from inkgate.service.broker.fair_queue import BURST
from inkgate.service.broker.interface import QueueState, Reply, Task
from inkgate.service.broker.messages import Malformed, reply_from
from inkgate.service.broker.shares import DEFAULT_WEIGHT
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import GROUP, Keys, entry, name
from inkgate.service.broker.streams.look import Seen, look, script
from inkgate.service.broker.streams.scripts import source
from inkgate.service.errors import BrokerUnavailable, Overloaded

log = logging.getLogger(__name__)

_CONNECTIONS = 16
_CHUNK_BYTES = 8 * 2**20
_CHUNK_TASKS = 16
_SMALL_BYTES = 64 * 1024  # more are not handed through a script: it would copy them
_PAYLOAD_GRACE_MS = 30_000  # a payload outlives its deadline by this, for the worker that has just begun
_PATIENCE = 5.0  # seconds a call waits for a server that is out of reach
_STATE_EVERY = 0.5
_BLIND_AFTER = 3.0
_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


class StreamsBroker:
    """A Broker over one Redis or Valkey. Every gateway process has one, with a name of its own.

    `weights` are those of apps that have another one than 1.0. `on_malformed` hears the kind of every message that
    could not be understood.
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
        self._redis = client.on_loop(url, _CONNECTIONS)
        self._reader = client.on_loop(url, 1)
        self._state = script(self._redis)
        self._submit = self._redis.register_script(source("submit"))
        self._withdrawal = self._redis.register_script(source("withdraw"))
        self._keys = keys
        self._reply_to = keys.replies(gateway or uuid.uuid4().hex)
        self._admission = Admission(max_tasks=max_tasks, max_bytes=max_bytes, weights=weights)
        self._weights = weights or {}
        self._calls = Calls()
        self._placed: dict[tuple[str, int], Task] = {}  # what the server was told and has not answered
        self._seen = Seen()
        self._seen_at = time.monotonic()
        self._waiting: defaultdict[str, Counter[str]] = defaultdict(Counter)
        background = background or Background()
        self._loops: list[BackgroundTask] = [
            background.task("reply-listener", self._listen, essential=True),
            background.task("queue-watch", self._watch, essential=True),
        ]
        self._up = False

    async def start(self) -> None:
        """Begin to listen. A server that is down is no error here: readiness tells, and calls wait for a while."""
        for loop in self._loops:
            loop.start()

    async def close(self) -> None:
        await asyncio.gather(*(loop.close() for loop in self._loops))
        with contextlib.suppress(RedisError, OSError):
            await self._redis.delete(self._reply_to)
        await self._reader.aclose()
        await self._redis.aclose()

    async def check(self) -> None:
        """For readiness: raises BrokerUnavailable when the server does not answer."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(str(error)) from error

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        """See Broker.submit."""
        now = time.time()
        deadline = min(task.deadline for task in tasks)
        self._admission.enter(tasks, self._waiting, self._seen.state.workers, now)
        call = None
        try:
            call = self._calls.open(tasks)
            await self._queue(tasks, min(deadline, now + _PATIENCE))
            _heed_cancellation()
            return await call.replies(deadline, time.time())
        finally:
            self._admission.leave(tasks)
            if call is not None:
                await self._end(call)

    async def state(self) -> QueueState:
        """The state of the whole queue (all gateways), about half a second old.

        Raises BrokerUnavailable when the last state is older than _STATE_STALE_SECONDS.
        """
        if time.monotonic() - self._seen_at > _BLIND_AFTER:
            raise BrokerUnavailable("the queue has not been seen for a while")
        return self._seen.state

    def held(self, app: str) -> float:
        """See Broker.held; known half a second after the last death."""
        return max(0.0, self._seen.held.get(app, 0.0) - (time.monotonic() - self._seen_at))

    async def _queue(self, tasks: Sequence[Task], until: float) -> None:
        """Queue tasks, waiting for a server that is out of reach until `until`."""
        pause = _PAUSE
        for chunk in _chunks(tasks):
            while True:
                try:
                    await self._add(chunk)
                    self._placed.update(((task.call_id, task.number), task) for task in chunk)
                    break
                except ResponseError as error:
                    if client.is_full(error):
                        raise Overloaded("the queue's server is out of memory") from error
                    raise BrokerUnavailable(str(error)) from error
                except client.OUT_OF_REACH as error:
                    if time.time() + pause > until:
                        raise BrokerUnavailable(str(error)) from error
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _add(self, chunk: Sequence[Task]) -> None:
        """Queue tasks of one capability; those of one app at a time take their places in the fair order."""
        first = chunk[0]
        if any(task.app != first.app or task.capability != first.capability for task in chunk):
            for task in chunk:
                await self._add([task])
            return
        keys = (self._keys.stream(first.capability), self._keys.held)
        small = sum(len(task.image) for task in chunk) <= _SMALL_BYTES  # one command then, half of the gateway's CPU
        given: list[str | bytes | float] = [
            GROUP,
            self._keys.images,
            first.app,
            self._cost(first),
            BURST,
            self._seen.unaware,
            int(small),
        ]
        async with self._redis.pipeline(transaction=False) as commands:
            for task in chunk:
                ttl = max(1, int((task.deadline - time.time()) * 1000))
                kept = ttl + _PAYLOAD_GRACE_MS
                given += name(task), entry(task, ttl, self._reply_to), kept, task.image if small else b""
                if not small:
                    commands.set(self._keys.image(task), task.image, px=kept)
            await commands.execute()
        await self._submit(keys=keys, args=given)  # after the payloads
        self._waiting[first.capability][first.app] += len(chunk)

    def _cost(self, task: Task) -> float:
        return 1 / self._weights.get(task.app, DEFAULT_WEIGHT)

    async def _end(self, call: Call) -> None:
        """Forget a call; what of it is not answered is withdrawn."""
        self._calls.close(call)
        placed = {number for number in call.tasks if self._placed.pop((call.call_id, number), None) is not None}
        if call.unanswered:
            await self._withdraw(call.unanswered, placed)

    async def _withdraw(self, tasks: Sequence[Task], placed: Container[int]) -> None:
        """Take the tasks of one call off the queue and delete the payloads of those that nobody has begun. `placed` are
        the numbers of those that the server has queued: the others cannot have been begun."""
        first = tasks[0]
        names = [name(task) for task in tasks if task.number in placed]
        others = [name(task) for task in tasks if task.number not in placed]
        given: list[str | float] = [self._keys.images, first.app, self._cost(first), len(names), *names, *others]
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._withdrawal(keys=[self._keys.stream(first.capability)], args=given)

    async def _listen(self) -> None:
        """Read replies for ever. A stream and not a list: what a broken connection swallowed is read again."""
        self._up, last = False, b"0"
        pause = _PAUSE
        while True:
            try:
                last = await self._read(last)
                if not self._up:
                    last = await self._mend(last)
                    self._up = True
                pause = _PAUSE
            except (RedisError, OSError) as error:
                if self._up:
                    log.warning("the queue's server is out of reach: %s", error)
                self._up, last = False, b"0"
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _read(self, last: bytes) -> bytes:
        """Take the replies after `last` and forget them on the server; returns where to go on."""
        block = 1000 if self._up else None
        found: Any = await self._reader.xread({self._reply_to: last}, count=256, block=block)
        for _, entries in found or ():
            for _, fields in entries:
                self._take(fields)
            last = entries[-1][0]
            await self._reader.xtrim(self._reply_to, minid=last.decode(), approximate=False)
        return last

    async def _mend(self, last: bytes) -> bytes:
        """Back after an interruption: queue again what is neither answered nor known to the server any more.

        A server that restarted empty has forgotten our tasks; we still hold their pictures.
        """
        now = time.time()
        waiting = [task for key, task in self._placed.items() if self._calls.awaits(*key) and task.deadline > now]
        if not waiting:
            return last
        async with self._reader.pipeline(transaction=False) as commands:
            for task in waiting:
                commands.exists(self._keys.image(task))
            known = await commands.execute()
        lost = [task for task, there in zip(waiting, known, strict=True) if not there]
        if lost:
            last = await self._read(last)  # a payload that went with its answer since we read is not lost
            lost = [task for task in lost if self._calls.awaits(task.call_id, task.number)]
        if lost:
            log.warning("%d images were lost with the server's memory: queued again", len(lost))
            for chunk in _chunks(lost):
                await self._add(chunk)
        return last

    def _take(self, fields: Mapping[bytes, bytes]) -> None:
        """Hand one reply to its call. One that cannot be understood fails its call, where it names one, or is dropped:
        never raises, for it would be read again and again."""
        try:
            self._hand_over(reply_from(orjson.loads(fields[b"reply"])))
        except Exception as error:
            self._on_malformed("reply")
            if not isinstance(error, Malformed):  # its text may hold what was read from an image
                log.error("a worker's reply cannot be understood: %s", type(error).__name__)
                return
            log.error("a worker's reply cannot be understood: %s", error)
            if error.answer is not None:
                self._calls.take(error.answer)

    def _hand_over(self, reply: Reply) -> None:
        task = self._calls.task(reply.call_id, reply.number)
        if self._calls.take(reply) and task is not None and reply.busy:
            self._admission.observe(task.capability, reply.busy)

    async def _watch(self) -> None:
        """Look at the whole queue twice a second. Between two looks our own submissions are counted on top."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                self._seen = await look(self._state, self._keys)
                self._seen_at = time.monotonic()
                self._waiting = defaultdict(Counter, self._seen.waiting)
                if self._seen.unaware and self._seen.state.depth:
                    await self._feed()
            await asyncio.sleep(_STATE_EVERY)

    async def _feed(self) -> None:
        """Workers of an older release see only what is in the streams: keep something there for each of them."""
        for stream in self._keys.streams():
            given: list[str | float] = [GROUP, self._keys.images, "", 1.0, BURST, self._seen.unaware, 0]
            await self._submit(keys=[stream, self._keys.held], args=given)


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Runs of tasks that fit one transaction: a batch of big pictures must not block the server, nor its buffers."""
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


def _heed_cancellation() -> None:
    """Raise CancelledError when this task was cancelled while the client library waited: it swallows a cancellation
    that comes at a bad moment, and a client that hung up would be read for."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
