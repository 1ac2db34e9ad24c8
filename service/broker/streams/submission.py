"""What a gateway sends to the queue: its tasks, and the withdrawal of those without a reply."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Container, Iterator, Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from inkgate.service.broker.calls import PendingCall
from inkgate.service.broker.fair_queue import BURST_IMAGES
from inkgate.service.broker.interface import Task
from inkgate.service.broker.shares import cost_of_image
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import GROUP, Keys, encode_entry, queue_member
from inkgate.service.broker.streams.scripts import script_source
from inkgate.service.broker.streams.state import QueueView
from inkgate.service.errors import BrokerUnavailable, Overloaded
from inkgate.service.redis_batches import CommandBatches

MIN_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 1.0
_CHUNK_BYTES = 8 * 2**20
_CHUNK_TASKS = 16
_SMALL_BYTES = 64 * 1024  # larger payloads are not passed to a script, which would copy them
_PAYLOAD_GRACE_MS = 30_000  # a payload outlives its deadline, for a worker that has just started it
_WITHDRAWAL_SECONDS = 2.0


class TaskSender:
    """Submits tasks of one gateway, whose replies go to `reply_to`. `unanswered` are the tasks that the server has
    queued and that their call has not given up, by call id and number."""

    def __init__(
        self,
        redis: Redis,
        commands: CommandBatches,
        keys: Keys,
        reply_to: str,
        view: QueueView,
        weights: Mapping[str, float],
    ) -> None:
        self._redis, self._keys, self._reply_to, self._view, self._weights = redis, keys, reply_to, view, weights
        # A withdrawal follows its submission in the same batches, so that it never overtakes it.
        self._script = commands.script(script_source("submit"))
        self._withdrawal = commands.script(script_source("withdraw"))
        self.unanswered: dict[tuple[str, int], Task] = {}
        self._submitting: set[tuple[str, int]] = set()  # sent to the server, which has not answered yet

    async def submit(self, tasks: Sequence[Task], until: float) -> None:
        """Submit tasks; retry an unreachable server until `until` (Unix time in seconds)."""
        backoff = MIN_BACKOFF_SECONDS
        for chunk in chunks(tasks):
            while True:
                try:
                    await self.add(chunk)
                    self.unanswered.update(((task.call_id, task.number), task) for task in chunk)
                    break
                except ResponseError as error:
                    if client.is_out_of_memory(error):
                        raise Overloaded("the queue's server is out of memory") from error
                    raise BrokerUnavailable(str(error)) from error
                except client.TRANSIENT_ERRORS as error:
                    if time.time() + backoff > until:
                        raise BrokerUnavailable(str(error)) from error
                await asyncio.sleep(backoff)
                backoff = min(MAX_BACKOFF_SECONDS, backoff * 2)

    async def add(self, chunk: Sequence[Task]) -> None:
        """Submit tasks to the fair queue, one capability and one app at a time."""
        first = chunk[0]
        if any(task.app != first.app or task.capability != first.capability for task in chunk):
            for task in chunk:
                await self.add([task])
            return
        keys = (self._keys.stream(first.capability), self._keys.held)
        small = sum(len(task.image) for task in chunk) <= _SMALL_BYTES  # one command: half the CPU
        arguments: list[str | bytes | float] = [
            GROUP,
            self._keys.images,
            first.app,
            self._cost(first),
            BURST_IMAGES,
            self._view.legacy_workers,
            int(small),
        ]
        payloads = self._redis.pipeline(transaction=False)
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
                payloads.set(self._keys.image(task), task.image, px=ttl_ms)
        await payloads.execute()
        names = {(task.call_id, task.number) for task in chunk}
        self._submitting |= names  # until it is answered: it is executed even if the call is cancelled meanwhile
        try:
            await self._script(keys=keys, args=arguments)  # after the payloads
        except Exception:
            self._submitting -= names
            raise
        self._submitting -= names
        self._view.add(first.capability, first.app, len(chunk))

    def _cost(self, task: Task) -> float:
        return cost_of_image(self._weights, task.app)

    async def give_up(self, call: PendingCall) -> None:
        """Forget the tasks of a call that ends, and withdraw those without a reply."""
        submitted = set()
        for number in call.tasks:
            name = (call.call_id, number)
            if self.unanswered.pop(name, None) is not None or name in self._submitting:
                self._submitting.discard(name)
                submitted.add(number)
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
            async with asyncio.timeout(_WITHDRAWAL_SECONDS):
                await self._withdrawal(keys=[self._keys.stream(first.capability)], args=arguments)

    async def feed_old_workers(self) -> None:
        """Keep a stream entry for each worker of an older release, which reads only the streams."""
        for stream in self._keys.streams():
            arguments: list[str | float] = [
                GROUP,
                self._keys.images,
                "",
                1.0,
                BURST_IMAGES,
                self._view.legacy_workers,
                0,
            ]
            await self._script(keys=[stream, self._keys.held], args=arguments)


def chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
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
