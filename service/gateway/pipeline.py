"""The way of one call, top to bottom: body → admission → replay → packs and rate → unseal → images → broker → settle
→ answer. Each step takes the phase before and gives the next (`phases.py`). Errors rise from every step and become
answers in `failures.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time

from inkgate.service.db import ids
from inkgate.service.errors import (
    ClientGone,
    DeadlineMissed,
    HeldOff,
    RateLimited,
    Refused,
    RequestFault,
    SealFault,
    WireError,
)
from inkgate.service.gateway import results
from inkgate.service.gateway.admission import Admission
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.call_record import CallRecord
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.deliveries import Deliveries
from inkgate.service.gateway.memory import LARGE_BODY, give_back
from inkgate.service.gateway.phases import (
    Admitted,
    Answered,
    Entered,
    Parsed,
    Priced,
    ReadResult,
    Received,
    Settled,
    Started,
)
from inkgate.service.gateway.progress import Progress
from inkgate.service.gateway.reading import ImageReading
from inkgate.service.gateway.services import Services
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.policy import Event, Policy
from inkgate.service.replay import KeptAnswer
from inkgate.service.sealed import sm2
from inkgate.service.settings import Settings
from inkgate.service.usage.refusals import RefusedCall

_LARGEST_CALL = 50  # images (CONTRACT section 4)
_OK = 200  # HTTP status of every answer that is settled


class Pipeline:
    """Answers calls. One per gateway process."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings, self._services = settings, services
        self.tracing = services.tracing
        self._deliveries = Deliveries(services.replays)
        self._admission = Admission(services.directory, settings.server.clock_window)
        self._policy = Policy(settings.billing.model_dump())
        limits, weights = settings.limits, settings.limits.weights
        self.bytes_in_flight = Budget(limits.inflight_bytes, "body bytes", weights=weights, largest=limits.body_bytes)
        self.tasks_in_flight = Budget(limits.inflight_tasks, "images", weights=weights, largest=_LARGEST_CALL)
        self._codec = BodyCodec(services.pool, sm2.select_provider(settings.security.sm2))
        self._reading = ImageReading(services.broker, self.tasks_in_flight, services.tracing)

    async def run(self, progress: Progress) -> Settled:
        """The answer to a call, settled and kept for replay; `progress` notes how far the call has come.

        Raises errors of `inkgate.service.errors`, or whatever a fault of ours raises.
        """
        received = progress.reach(await self._receive(progress.started))
        with received.watch.stage("auth"):
            admitted = await self._admission.admit(received, progress)
        await self._deliveries.verdict(admitted.replay_key)
        kept = await self._services.replays.find(admitted.replay_key)
        if kept is not None:
            return await self._settle(progress.reach(Answered(admitted, kept)))
        seconds = self._settings.limits.deadline
        deadline = time.time() + seconds
        try:
            async with asyncio.timeout(seconds):
                entered = progress.reach(await self._enter(admitted, deadline))
                result = progress.reach(await self._work(entered, progress))
                priced = progress.reach(await self._price(result))
                return await self._settle(progress.reach(await self._keep(priced)))
        except TimeoutError:
            raise DeadlineMissed("the call outlived its deadline") from None

    async def deliver(self, settled: Settled, delivered: asyncio.Future[bool]) -> None:
        """Once the client has the whole answer, it is not to be replayed. Does not wait for the verdict on it."""
        await self._deliveries.watch(settled.replay_key, settled.call_id, delivered)

    def refused(self, record: CallRecord, error: WireError) -> None:
        """The call is answered with its code and is not in the ledger: count it for the statistics."""
        origin = record.origin
        capability = origin.capability or error.capability  # of a wrong path or method the error alone has it
        self._services.refusals.count(RefusedCall(origin.account_id, origin.app_id, capability, record.code))

    def tidy(self, body_bytes: int) -> None:
        """A call is over: after a large body, and with no other in work, free memory goes back to the system."""
        if body_bytes >= LARGE_BODY and self.bytes_in_flight.used == 0:
            with contextlib.suppress(RuntimeError):  # the pool has been shut down, and this process ends
                self._services.pool.submit(give_back)

    async def _receive(self, started: Started) -> Received:
        exchange, limits = started.exchange, self._settings.limits
        budget = self.bytes_in_flight
        if exchange.large_body and exchange.announced <= limits.body_bytes:
            # No megabytes are held for an unknown access key; what is sent in an app's name counts as that app's.
            budget = budget.of(await self._admission.claimed(exchange))
        await exchange.read_body(limits.body_bytes, limits.body_timeout, budget)
        return Received(started, len(exchange.body))

    async def _enter(self, admitted: Admitted, deadline: float) -> Entered:
        """Not held off, packs that have something left, then the rate (CONTRACT section 3, order of checks)."""
        app, capability = admitted.app, admitted.capability
        held = self._services.broker.held(app.appkey)
        if held > 0:
            raise HeldOff(math.ceil(held))
        await self._services.ledger.admit(app.account_id, app.app_id, capability.name, 0)
        wait = await self._services.limiter.acquire(app.app_id, capability.name, admitted.caller.qps)
        if wait is not None:
            raise RateLimited(max(1, round(wait)))
        return Entered(admitted, ids.new(), deadline)

    async def _work(self, entered: Entered, progress: Progress) -> ReadResult:
        """Parse, ask for enough units, check every image, have them read. A fault of the request is a result too."""
        try:
            parsed, texts = await self._codec.parse(entered)
        except RequestFault as fault:
            return results.request_fault(entered, fault)
        except SealFault as fault:
            return results.seal_fault(entered, fault)
        progress.reach(parsed)
        with parsed.admitted.watch.stage("parse"):
            await self._cover(parsed)
            try:
                request = await self._codec.check(parsed, texts)
            except RequestFault as fault:
                return results.request_fault(parsed, fault)
        replies = await self._reading.read(parsed, request)
        return results.images_read(parsed, request, replies, superset=self._settings.server.superset)

    async def _cover(self, parsed: Parsed) -> None:
        """Ask whether the packs cover all images (CONTRACT section 3: "quota for n" stands behind JSON, fields, count).

        `_enter` has asked whether one unit is left, before the rate and the parsing, where the order of checks wants it
        and the number is not known. For one image that was this very question. For more it is asked again, so that a
        batch larger than what is left is refused whole and before its images are decoded. Both are answered from the
        balance in memory, and settling asks the packs themselves.
        """
        if parsed.images > 1:
            app, name = parsed.admitted.app, parsed.admitted.capability.name
            await self._services.ledger.admit(app.account_id, app.app_id, name, parsed.images)

    async def _price(self, result: ReadResult) -> Priced:
        answer = result.answer
        if result.seal is not None:
            with result.admitted.watch.stage("seal"):
                answer = await self._codec.seal(answer, result.seal)
        return Priced(result, answer, self._policy.units(result.events))

    async def _keep(self, priced: Priced) -> Answered:
        """Keep the answer for replay; another call with the same request may have kept its own before."""
        own, admitted = KeptAnswer(_settlement(priced), _OK, priced.answer), priced.admitted
        kept = await self._services.replays.keep(admitted.replay_key, own)
        if await admitted.exchange.gone():
            raise ClientGone("hung up before the answer was paid for")
        return Answered(priced, kept)

    async def _settle(self, answered: Answered) -> Settled:
        """Settle a kept answer. What was not settled is not answered."""
        admitted, settlement = answered.admitted, answered.kept.settlement
        try:
            with admitted.watch.stage("settle"):
                await self._services.ledger.settle(settlement)
        except Refused:
            await self._services.replays.discard(admitted.replay_key, settlement.call_id)
            raise
        return Settled(answered)


def _settlement(priced: Priced) -> Settlement:
    """The settlement of a call's own answer; its duration ends here."""
    result, admitted = priced.result, priced.admitted
    return Settlement(
        call_id=result.before.call_id,
        account_id=admitted.app.account_id,
        app_id=admitted.app.app_id,
        capability=admitted.capability.name,
        units=priced.units,
        images=len(result.events),
        failed_images=sum(event is not Event.IMAGE_READ for event in result.events),
        code=result.code,
        body_bytes=admitted.received.body_bytes,
        duration_ms=admitted.watch.elapsed_ms(),
        client_ip=admitted.exchange.client_ip,
        request_id=admitted.received.started.request_id,
    )
