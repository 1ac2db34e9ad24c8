"""The way of one call, top to bottom: body → admission → replay → packs and rate → unseal → images → broker → settle
→ answer. Errors rise from every step and become answers in `failures.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from inkgate.service.accounts.directory import Directory
from inkgate.service.broker.interface import Broker, Outcome, Reply, Task
from inkgate.service.contract.answers import batch_answer, fault_answer, seal_fault_answer, single_answer
from inkgate.service.contract.requests import ParsedRequest, check, parse, refuse_encoding
from inkgate.service.db import ids
from inkgate.service.errors import ClientGone, DeadlineMissed, HeldOff, RateLimited, Refused, RequestFault, SealFault
from inkgate.service.gateway.admission import Admission, Caller, Known
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.deliveries import Deliveries
from inkgate.service.gateway.exchange import SMALL_BODY, Answer, Exchange
from inkgate.service.gateway.memory import LARGE_BODY, give_back
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.interface import Ledger, Settlement
from inkgate.service.metering.policy import Event, Policy
from inkgate.service.replay import KeptAnswer, ReplayStore, replay_key
from inkgate.service.sealed import SealedRequest, open_request, seal_answer, sm2
from inkgate.service.settings import Settings
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.usage.refusals import Refusal, Refusals

_LARGEST_CALL = 50  # images (CONTRACT section 4)


class RateLimiter(Protocol):
    async def take(self, app_id: str, capability: str, qps: float) -> float | None:
        """None when the call may pass, else the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline is put together from."""

    directory: Directory
    ledger: Ledger
    broker: Broker
    limiter: RateLimiter
    replays: ReplayStore
    pool: ThreadPoolExecutor
    tracing: Tracing = field(default_factory=Tracing)
    refusals: Refusals = field(default_factory=Refusals)


@dataclass(slots=True)
class Call:
    """One call on its way; what is learnt is filled in step by step."""

    exchange: Exchange
    request_id: str
    watch: Stopwatch
    call_id: str = ""
    known: Known = field(default_factory=Known)
    caller: Caller | None = None
    seal: SealedRequest | None = None
    images: int = 0
    events: list[Event] = field(default_factory=list)
    code: int = 0
    units: int = 0
    body_bytes: int = 0
    replayed: bool = False


class Pipeline:
    """Answers calls. One per gateway process."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings, self._parts = settings, parts
        self.tracing = parts.tracing
        self._deliveries = Deliveries(parts.replays)
        self._sm2 = sm2.choose(settings.security.sm2)
        self._admission = Admission(parts.directory, settings.server.clock_window)
        self._policy = Policy(settings.billing.model_dump())
        limits, weights = settings.limits, settings.limits.weights
        self.bytes_in_flight = Budget(limits.inflight_bytes, "body bytes", weights=weights, largest=limits.body_bytes)
        self.tasks_in_flight = Budget(limits.inflight_tasks, "images", weights=weights, largest=_LARGEST_CALL)

    async def run(self, call: Call) -> Answer:
        """The answer to a call, settled and kept for replay. Raises errors of `inkgate.service.errors`."""
        exchange, limits = call.exchange, self._settings.limits
        budget = self.bytes_in_flight
        if exchange.large_body and exchange.announced <= limits.body_bytes:
            # Strangers cannot make us hold megabytes, and what is sent in an app's name counts as that app's.
            budget = budget.of(await self._admission.claimed(exchange))
        await exchange.read_body(limits.body_bytes, limits.body_timeout, budget)
        call.body_bytes = len(exchange.body)
        with call.watch.stage("auth"):
            call.caller = await self._admission.admit(exchange, call.known)
        await self._deliveries.verdict(self._replay_key(call))
        kept = await self._parts.replays.find(self._replay_key(call))
        if kept is not None:
            return await self._pay(call, kept)
        deadline = time.time() + limits.deadline
        try:
            async with asyncio.timeout(limits.deadline):
                await self._enter(call)
                return await self._settled(call, await self._work(call, deadline))
        except TimeoutError:
            raise DeadlineMissed("the call outlived its deadline") from None

    async def deliver(self, call: Call, delivered: asyncio.Future[bool]) -> None:
        """Once the client has the whole answer, it is not to be replayed. Does not wait for the verdict on it."""
        if call.caller is not None:
            await self._deliveries.watch(self._replay_key(call), call.call_id, delivered)

    def refused(self, call: Call) -> None:
        """The call is answered with its code and is not in the ledger: count it for the statistics."""
        known = call.known
        self._parts.refusals.count(Refusal(known.account_id, known.app_id, known.capability, call.code))

    def tidy(self, call: Call) -> None:
        """The call is over: after a large one, and with no other in work, free memory goes back to the system."""
        if call.body_bytes >= LARGE_BODY and self.bytes_in_flight.used == 0:
            with contextlib.suppress(RuntimeError):  # the pool has been shut down, and this process ends
                self._parts.pool.submit(give_back)

    async def _enter(self, call: Call) -> None:
        """Not held off, packs that have something left, then the rate (CONTRACT section 3, order of checks)."""
        assert call.caller is not None
        app, capability = call.caller.app, call.caller.capability
        held = self._parts.broker.held(app.appkey)
        if held > 0:
            raise HeldOff(math.ceil(held))
        await self._parts.ledger.admit(app.account_id, app.app_id, capability.name, 0)
        wait = await self._parts.limiter.take(app.app_id, capability.name, call.caller.qps)
        if wait is not None:
            raise RateLimited(max(1, round(wait)))
        call.call_id = ids.new()

    async def _work(self, call: Call, deadline: float) -> dict[str, Any]:
        """The body of the answer. A fault of the whole request is an answer too, and one that may be charged."""
        assert call.caller is not None
        capability = call.caller.capability
        try:
            parsed = await self._images(call)
        except RequestFault as fault:
            call.events = [Event.REQUEST_FAULT]
            call.code = capability.faults[fault.fault].code
            return fault_answer(capability, fault.fault, fault.detail)
        except SealFault as fault:
            call.events = [Event.SEAL_FAULT]
            call.code = fault.code
            return seal_fault_answer(fault)
        replies = await self._read(call, parsed, deadline)
        return self._answer(call, parsed, replies)

    async def _images(self, call: Call) -> ParsedRequest:
        """Unseal, parse, and check every image; big bodies in a thread, so that the loop stays free."""
        assert call.caller is not None
        exchange, capability = call.exchange, call.caller.capability
        refuse_encoding(capability, exchange.headers.get("content-encoding", ""))
        body: bytes | bytearray = exchange.body
        if exchange.headers.get("decrypted", "").strip().lower() == "true":
            with call.watch.stage("unseal"):
                private_key = call.caller.app.sm2_private_key
                call.seal = await self._off_loop(open_request, body, private_key, self._sm2, size=len(body))
                body = call.seal.plain
        with call.watch.stage("parse"):
            texts = await self._off_loop(parse, capability, body, size=len(body))
            call.images = len(texts)
            size = len(body)
            del body
            self._forget_texts(call)
            app = call.caller.app
            await self._parts.ledger.admit(app.account_id, app.app_id, capability.name, len(texts))
            parsed: ParsedRequest = await self._off_loop(check, capability, texts, size=size)
            return parsed

    @staticmethod
    def _forget_texts(call: Call) -> None:
        """From here on the texts alone hold the body, which goes with the last of them: it may be 100 megabytes."""
        call.exchange.drop_body()
        if call.seal is not None:
            call.seal = replace(call.seal, plain=b"")

    async def _off_loop(self, function: Any, *arguments: Any, size: int) -> Any:
        if size < SMALL_BODY:  # parsed on the spot, cheaper than a thread
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._parts.pool, function, *arguments)

    async def _read(self, call: Call, parsed: ParsedRequest, deadline: float) -> list[Reply]:
        """Send the good images to the workers; give up when the client hangs up."""
        assert call.caller is not None
        name, app = call.caller.capability.name, call.caller.app.appkey
        extras = call.caller.app.extras or call.exchange.headers.get("x-inkgate-extras", "") == "1"
        tasks = [
            Task(call.call_id, number, name, deadline, image, extras, trace=self.tracing.traceparent(), app=app)
            for number, image in enumerate(parsed.images)
            if isinstance(image, bytes)
        ]
        if not tasks:
            return []
        with self.tasks_in_flight.of(app).hold(len(tasks)):
            replies = await self._until_gone(call, tasks)
        call.watch.add_all(stages for reply in replies if (stages := reply.stages))
        if any(reply.outcome is Outcome.EXPIRED for reply in replies):
            raise DeadlineMissed("an image was not read in time")
        return replies

    async def _until_gone(self, call: Call, tasks: list[Task]) -> list[Reply]:
        work = asyncio.ensure_future(self._parts.broker.submit(tasks))
        gone = asyncio.ensure_future(call.exchange.disconnected())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise ClientGone("hung up while waiting")
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()

    def _answer(self, call: Call, parsed: ParsedRequest, replies: list[Reply]) -> dict[str, Any]:
        assert call.caller is not None
        capability = call.caller.capability
        by_number = {reply.number: reply for reply in replies}
        elements = [
            image if isinstance(image, str) else _element(by_number[number])
            for number, image in enumerate(parsed.images)
        ]
        call.events = [_event(element) for element in elements]
        superset = self._settings.server.superset
        if not capability.single:
            return batch_answer(capability, elements, superset=superset)
        (element,) = elements
        if isinstance(element, str):
            call.code = capability.faults[element].code
            return fault_answer(capability, element)
        return single_answer(capability, element, superset=superset)

    async def _settled(self, call: Call, body: dict[str, Any]) -> Answer:
        """Make the bytes, keep them for replay, settle. What was not settled is not answered."""
        raw = orjson.dumps(body)
        if call.seal is not None and call.code == 0:
            with call.watch.stage("seal"):
                raw = await self._off_loop(seal_answer, raw, call.seal, size=len(raw))
        call.units = self._policy.units(call.events)
        own = KeptAnswer(self._settlement(call), 200, raw)
        kept = await self._parts.replays.keep(self._replay_key(call), own)
        if await call.exchange.gone():
            raise ClientGone("hung up before the answer was paid for")
        return await self._pay(call, kept)

    async def _pay(self, call: Call, kept: KeptAnswer) -> Answer:
        """Settle a kept answer, this call's own or that of the same request sent before, and give it."""
        settlement = kept.settlement
        if settlement.call_id != call.call_id:
            call.replayed, call.call_id = True, settlement.call_id
        try:
            with call.watch.stage("settle"):
                await self._parts.ledger.settle(settlement)
        except Refused:
            await self._parts.replays.drop(self._replay_key(call), settlement.call_id)
            raise
        return Answer(kept.status, kept.body)

    def _settlement(self, call: Call) -> Settlement:
        assert call.caller is not None
        return Settlement(
            call_id=call.call_id,
            account_id=call.caller.app.account_id,
            app_id=call.caller.app.app_id,
            capability=call.caller.capability.name,
            units=call.units,
            images=len(call.events),
            failed_images=sum(event is not Event.IMAGE_READ for event in call.events),
            code=call.code,
            body_bytes=call.body_bytes,
            duration_ms=call.watch.elapsed_ms(),
            client_ip=call.exchange.client_ip,
            request_id=call.request_id,
        )

    def _replay_key(self, call: Call) -> str:
        assert call.caller is not None
        exchange = call.exchange
        sent = exchange.headers.get("ctyun-eop-request-id", "")  # not `request_id`, which is ours where this is odd
        return replay_key(call.caller.app.app_id, sent, exchange.body_hash, call.caller.capability.name)


def _element(reply: Reply) -> Any:
    """The element of an image that was read, or the name of its fault."""
    if reply.outcome is Outcome.READ:
        return reply.element
    return "decode" if reply.outcome is Outcome.UNDECODABLE else "internal"


def _event(element: object) -> Event:
    if not isinstance(element, str):
        return Event.IMAGE_READ
    return Event.INTERNAL_FAULT if element == "internal" else Event.IMAGE_FAULT
