"""Reads mirrored calls here after their answers were sent, for comparison with the cloud.

Nothing of this may delay or displace a call: reading begins after the answer was sent, one image at a time, and only
while nothing waits for a worker and, where there are several workers, two of them are free. A call that finds no such
moment in time is left out ("shed"), as is one that exceeds the bounds of the queue.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker, Outcome, Reply, Task
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.db import ids
from inkgate.service.errors import RequestFault, SealFault, WireError
from inkgate.service.gateway import results
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.phases import Accepted, Admitted, Identified, Parsed, ReadResult, Received, Routed, Started
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.sealed import SealedRequest, open_answer
from inkgate.service.takeover.codes import answer_code, plain_body
from inkgate.service.takeover.observation import CloudAnswer, LocalAnswer, Observation, Observer
from inkgate.service.takeover.upstream import UpstreamAnswer
from inkgate.service.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

SHADOW_APP = "~shadow"  # of the tasks of all apps: a hold-off for mirrored images must not stop an app's own calls
MAX_COMPARED_BYTES = 16 * 1024 * 1024  # of a decompressed answer
_SHED_ENTRIES = 10  # entries without a body that may wait, per call of the limit: a few hundred bytes each
_POLL_SECONDS = 0.05
_FOREIGN_KEY = 40019  # the body was not sealed for the SM2 key that is here


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """Bounds of the queue in calls and bytes, calls read at once, seconds to wait for a worker, and seconds that an
    image may take. `superset` as in `inkgate.service.contract.answers`."""

    calls: int
    bytes: int
    at_once: int
    wait: float
    deadline: float
    superset: bool


@dataclass(slots=True)
class ShadowCall:
    """A mirrored call. `body` is None when it is not read here; `since` is monotonic."""

    admitted: Admitted
    at: datetime
    since: float
    status: int
    code: str
    seconds: float
    answer: UpstreamAnswer | None
    body: bytearray | None
    held_bytes: int = 0  # of the bound of the queue


class _Shed(Exception):
    """No worker was free in time."""


class ShadowReader:
    """The queue of mirrored calls of one gateway process and the tasks that read them."""

    def __init__(
        self,
        broker: Broker,
        codec: BodyCodec,
        observer: Observer,
        metrics: Metrics,
        settings: ShadowSettings,
        background: Background,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker, self._codec, self._observer, self._metrics = broker, codec, observer, metrics
        self._settings, self._clock = settings, clock
        self._queue: deque[ShadowCall] = deque()
        self._held_bytes = self._held_calls = 0
        self._added = asyncio.Event()
        self._tasks = [background.task(f"shadow-reader-{slot}", self._run) for slot in range(settings.at_once)]

    async def start(self) -> None:
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        """Stop; calls that wait are dropped."""
        await asyncio.gather(*(task.close() for task in self._tasks))
        self._queue.clear()

    def offer(
        self, admitted: Admitted, body: bytearray, status: int, code: str, seconds: float, answer: UpstreamAnswer | None
    ) -> None:
        """Queue a call whose answer was sent; returns at once. `answer` is None when the cloud gave none."""
        call = ShadowCall(admitted, datetime.now(UTC), self._clock(), status, code, seconds, answer, body)
        size = len(body) + (len(answer.body) if answer else 0)
        if self._held_calls < self._settings.calls and self._held_bytes + size <= self._settings.bytes:
            call.held_bytes = size
            self._held_calls, self._held_bytes = self._held_calls + 1, self._held_bytes + size
        else:
            call.body = call.answer = None  # it is not read; code and seconds count
            if len(self._queue) >= _SHED_ENTRIES * max(1, self._settings.calls):
                self._metrics.shadow(admitted.capability.name, "shed")
                return
        self._queue.append(call)
        self._metrics.shadow_waiting(self._held_calls)
        self._added.set()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                self._added.clear()
                await self._added.wait()
            call = self._queue.popleft()
            held = call.body is not None
            try:
                await self._observe(call)
            finally:
                if held:
                    self._held_calls, self._held_bytes = self._held_calls - 1, self._held_bytes - call.held_bytes
                self._metrics.shadow_waiting(self._held_calls)

    async def _observe(self, call: ShadowCall) -> None:
        local: LocalAnswer | None = None
        seal: SealedRequest | None = None
        skipped = "shed"
        if call.body is not None:
            reading = _Reading(self._broker, self._codec, self._settings, call, self._clock)
            try:
                local, skipped = await reading.run(), ""
            except _Shed:
                pass
            except SealFault:
                skipped = "sealed"
            except WireError as error:
                skipped = "shed" if error.outcome == "overloaded" else "failed"
            except Exception as error:  # a defect of reading must not end this task: the next call may be read
                log.error("a mirrored call could not be read", extra={"error": type(error).__name__})
                skipped = "failed"
            seal = reading.seal
        name = call.admitted.capability.name
        self._metrics.shadow(name, skipped or "read", local.seconds if local else None)
        app = call.admitted.app
        cloud = await self._codec.run(_cloud_answer, call, seal, size=MAX_COMPARED_BYTES)
        await self._observer.record(Observation(call.at, app.account_id, app.app_id, name, cloud, local, skipped))


class _Reading:
    """Reads one call. `seal` has the client's keys once a sealed body was opened."""

    def __init__(
        self,
        broker: Broker,
        codec: BodyCodec,
        settings: ShadowSettings,
        call: ShadowCall,
        clock: Callable[[], float],
    ) -> None:
        self._broker, self._codec, self._settings, self._call, self._clock = broker, codec, settings, call, clock
        self.seal: SealedRequest | None = None
        self._waited = 0.0

    async def run(self) -> LocalAnswer:
        """The answer that a client would have got, and the seconds without those of waiting for a free worker.

        Raises _Shed, SealFault, and the errors of `Broker.submit`.
        """
        await self._wait_for_worker()
        accepted = self._accepted()
        begin, self._waited = self._clock(), 0.0
        result = await self._read(accepted)
        seconds = self._clock() - begin - self._waited
        return LocalAnswer(200, str(result.code), seconds, result.answer)

    async def _read(self, accepted: Accepted) -> ReadResult:
        try:
            parsed, texts = await self._codec.parse(accepted)
        except RequestFault as fault:
            return results.request_fault(accepted, fault)
        except SealFault as fault:
            if fault.code == _FOREIGN_KEY:
                raise
            return results.seal_fault(accepted, fault)
        self.seal = parsed.seal
        try:
            request = await self._codec.check(parsed, texts)
        except RequestFault as fault:
            return results.request_fault(parsed, fault)
        replies = await self._recognise(parsed, request)
        return results.images_read(parsed, request, replies, superset=self._settings.superset)

    async def _recognise(self, parsed: Parsed, request: ParsedRequest) -> list[Reply]:
        """One image at a time, so that a batch leaves the workers to other calls in between."""
        replies: list[Reply] = []
        admitted = parsed.admitted
        extras = admitted.app.extras or admitted.exchange.headers.get("x-inkgate-extras", "") == "1"
        for number, image in enumerate(request.images):
            if not isinstance(image, bytes):
                continue
            if replies:
                await self._wait_for_worker()
            deadline = time.time() + self._settings.deadline
            name = admitted.capability.name
            task = Task(parsed.call_id, number, name, deadline, image, extras, app=SHADOW_APP)
            [reply] = await self._broker.submit([task])
            if reply.outcome is Outcome.EXPIRED:
                raise _Shed
            replies.append(reply)
        return replies

    async def _wait_for_worker(self) -> None:
        """Wait for a moment at which an image takes no worker from a call. Raises _Shed when none comes in time."""
        begin = self._clock()
        while not await self._is_idle():
            if self._clock() - self._call.since > self._settings.wait:
                raise _Shed
            await asyncio.sleep(_POLL_SECONDS)
        self._waited += self._clock() - begin

    async def _is_idle(self) -> bool:
        try:
            state = await self._broker.state()
        except WireError:
            return False
        free = state.workers - state.in_flight
        return state.depth == 0 and free >= min(2, max(1, state.workers)) and not self._broker.held(SHADOW_APP)

    def _accepted(self) -> Accepted:
        """The same call without its connection, with a stopwatch of its own."""
        admitted, body = self._call.admitted, self._call.body
        assert body is not None
        self._call.body = None  # freed as soon as its images are decoded
        exchange = admitted.exchange.detached(body)
        started = Started(exchange, admitted.received.started.request_id, Stopwatch())
        received = Received(started, len(body))
        again = Admitted(Routed(Identified(received, admitted.app), admitted.capability))
        return Accepted(again, ids.new(), time.time() + self._settings.deadline)


def _cloud_answer(call: ShadowCall, seal: SealedRequest | None) -> CloudAnswer:
    """The cloud's answer with its plain body, where it can be had."""
    body, code = None, call.code
    if call.answer is not None:
        body = plain_body(call.answer.headers, call.answer.body, MAX_COMPARED_BYTES)
        if seal is not None and body is not None:
            body = open_answer(body, seal) or body  # answers with an error code are never sealed
        code = code if body is None else answer_code(body)
    return CloudAnswer(call.status, code, call.seconds, body)
