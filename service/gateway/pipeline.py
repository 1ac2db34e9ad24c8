"""The steps of a call, in order: body → authorisation → replay → quota and rate → unseal → images → broker → settle →
answer. Each step takes one phase and returns the next (`phases.py`). Errors of any step become answers in
`failures.py`. After the replay, a call whose app has a route to the cloud is sent on instead (`forward.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time

from inkgate.service.broker.admission import MAX_IMAGES_PER_CALL
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.db import ids
from inkgate.service.errors import (
    AppHeldOff,
    BrokerUnavailable,
    ClientDisconnected,
    DeadlineMissed,
    Overloaded,
    RateLimited,
    Refused,
    RequestFault,
    SealFault,
    UpstreamFailed,
    WireError,
)
from inkgate.service.gateway import results
from inkgate.service.gateway.admission import CallAuthoriser
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.call_record import CallRecord
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.delivery_tracker import DeliveryTracker
from inkgate.service.gateway.forward import Forwarder, Plan
from inkgate.service.gateway.memory import LARGE_BODY_BYTES, trim_heap
from inkgate.service.gateway.phases import (
    Accepted,
    Admitted,
    Answered,
    Forwarded,
    Parsed,
    Priced,
    ReadResult,
    Received,
    Settled,
    Started,
)
from inkgate.service.gateway.progress import Progress
from inkgate.service.gateway.recognition import ImageRecognition
from inkgate.service.gateway.services import Services
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.policy import Event, Policy
from inkgate.service.replay import KeptAnswer
from inkgate.service.sealed import sm2
from inkgate.service.settings import Settings
from inkgate.service.takeover.upstream import UpstreamAnswer
from inkgate.service.usage.refusals import RefusedCall

_OK = 200  # HTTP status of every answer that is settled


class Pipeline:
    """Processes calls. One per gateway process."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings, self._services = settings, services
        self.tracing = services.tracing
        self._delivery_tracker = DeliveryTracker(services.replays)
        self._authoriser = CallAuthoriser(services.directory, settings.server.clock_window)
        self._policy = Policy(settings.billing.model_dump())
        limits, weights = settings.limits, settings.limits.weights
        self.bytes_in_flight = Budget(limits.inflight_bytes, "body bytes", weights=weights, largest=limits.body_bytes)
        self.tasks_in_flight = Budget(limits.inflight_tasks, "images", weights=weights, largest=MAX_IMAGES_PER_CALL)
        self._codec = BodyCodec(services.pool, sm2.select_provider(settings.security.sm2))
        self._recognition = ImageRecognition(services.broker, self.tasks_in_flight, services.tracing)

    async def run(self, progress: Progress) -> Settled | Forwarded:
        """Process a call up to its settled answer, which is kept for replay, or to the cloud's answer; `progress`
        records each phase.

        Raises errors of `inkgate.service.errors`, or any exception of a defect in InkGate.
        """
        received = progress.advance(await self._receive(progress.started))
        with received.stopwatch.stage("auth"):
            admitted = await self._authoriser.admit(received, progress)
        await self._delivery_tracker.wait_for_outcome(admitted.replay_key)
        kept = await self._services.replays.find(admitted.replay_key)
        if kept is not None:
            return await self._settle(progress.advance(Answered(admitted, kept)))
        forwarder = self._services.forwarder
        plan = Plan.HERE if forwarder is None else forwarder.plan(admitted)
        if forwarder is None or plan is Plan.HERE:
            return await self._answer_here(admitted, progress)
        if plan is Plan.HERE_OR_CLOUD:
            return await self._answer_here_or_forward(forwarder, admitted, progress)
        return await self._forward(forwarder, plan, admitted, progress)

    async def _answer_here(self, admitted: Admitted, progress: Progress) -> Settled:
        seconds = self._settings.limits.deadline
        deadline = time.time() + seconds
        try:
            async with asyncio.timeout(seconds):
                accepted = progress.advance(await self._check_quota_and_rate(admitted, deadline))
                result = progress.advance(await self._process(accepted, progress))
                priced = progress.advance(await self._price(result))
                return await self._settle(progress.advance(await self._keep(priced)))
        except TimeoutError:
            raise DeadlineMissed("the call outlived its deadline") from None

    async def _answer_here_or_forward(
        self, forwarder: Forwarder, admitted: Admitted, progress: Progress
    ) -> Settled | Forwarded:
        """Answer here; send the call on if this service is overloaded or its queue unreachable, which is known before
        anything is settled. The body is kept in memory for that: its bytes stay acquired in any case."""
        body = admitted.exchange.body
        try:
            return await self._answer_here(admitted, progress)
        except (Overloaded, BrokerUnavailable):
            admitted.exchange.body = body
        return progress.advance(await forwarder.forward(admitted, "fallback"))

    async def _forward(self, forwarder: Forwarder, plan: Plan, admitted: Admitted, progress: Progress) -> Forwarded:
        """Send the call on. Raises the errors of `Forwarder.forward`; a mirrored call is read here even after one."""
        if plan is not Plan.MIRROR:
            return progress.advance(await forwarder.forward(admitted, "split"))
        begin = admitted.stopwatch.elapsed()
        try:
            return progress.advance(await forwarder.forward(admitted, "mirror"))
        except UpstreamFailed as error:
            seconds = admitted.stopwatch.elapsed() - begin
            self._offer_shadow(admitted, GATEWAY_CODES[error.code].http, str(error.code), seconds, None)
            raise

    def read_shadow(self, forwarded: Forwarded) -> None:
        """Have a mirrored call read here, after its answer was sent. Returns at once."""
        if forwarded.route == "mirror":
            answer = forwarded.answer
            self._offer_shadow(forwarded.admitted, answer.status, forwarded.code, answer.seconds, answer)

    def _offer_shadow(
        self, admitted: Admitted, status: int, code: str, seconds: float, answer: UpstreamAnswer | None
    ) -> None:
        if self._services.shadow is not None:
            body = admitted.exchange.take_body()
            self._services.shadow.offer(admitted, body, status, code, seconds, answer)

    async def track_delivery(self, settled: Settled, delivered: asyncio.Future[bool]) -> None:
        """Delete the kept answer once the client has all of it. Returns without waiting for the outcome."""
        await self._delivery_tracker.track(settled.replay_key, settled.call_id, delivered)

    def count_refusal(self, record: CallRecord, error: WireError) -> None:
        """Count a call that was answered with an error code and is not in the ledger, for the usage statistics."""
        origin = record.origin
        capability = origin.capability or error.capability  # for a wrong path or method only the error names it
        self._services.refusals.count(RefusedCall(origin.account_id, origin.app_id, capability, record.code))

    def release_memory(self, body_bytes: int) -> None:
        """Called after each call: after a large body, when no other call is in progress, return free memory to the
        system."""
        if body_bytes >= LARGE_BODY_BYTES and self.bytes_in_flight.used == 0:
            with contextlib.suppress(RuntimeError):  # the pool has been shut down because the process exits
                self._services.pool.submit(trim_heap)

    async def _receive(self, started: Started) -> Received:
        exchange, limits = started.exchange, self._settings.limits
        budget = self.bytes_in_flight
        if exchange.large_body and exchange.announced <= limits.body_bytes:
            # A large body is not buffered for an unknown access key, and its bytes count against the claimed app.
            budget = budget.for_app(await self._authoriser.claimed_app(exchange))
        await exchange.read_body(limits.body_bytes, limits.body_timeout, budget)
        return Received(started, len(exchange.body))

    async def _check_quota_and_rate(self, admitted: Admitted, deadline: float) -> Accepted:
        """Check hold-off, then quota, then rate (CONTRACT section 3, order of checks).

        Raises AppHeldOff, the errors of `Ledger.admit`, or RateLimited.
        """
        app, capability = admitted.app, admitted.capability
        held = self._services.broker.held(app.appkey)
        if held > 0:
            raise AppHeldOff(math.ceil(held))
        await self._services.ledger.admit(app.account_id, app.app_id, capability.name, 0)
        wait = await self._services.limiter.acquire(app.app_id, capability.name, admitted.caller.qps)
        if wait is not None:
            raise RateLimited(max(1, round(wait)))
        return Accepted(admitted, ids.new(), deadline)

    async def _process(self, accepted: Accepted, progress: Progress) -> ReadResult:
        """Parse the body, check the quota, validate and recognise the images. A request fault is a result too."""
        try:
            parsed, texts = await self._codec.parse(accepted)
        except RequestFault as fault:
            return results.request_fault(accepted, fault)
        except SealFault as fault:
            return results.seal_fault(accepted, fault)
        progress.advance(parsed)
        with parsed.admitted.stopwatch.stage("parse"):
            await self._check_quota_for_all(parsed)
            try:
                request = await self._codec.check(parsed, texts)
            except RequestFault as fault:
                return results.request_fault(parsed, fault)
        replies = await self._recognition.recognise(parsed, request)
        return results.images_read(parsed, request, replies, superset=self._settings.server.superset)

    async def _check_quota_for_all(self, parsed: Parsed) -> None:
        """Check that the packs cover all images (CONTRACT section 3: "quota for n" follows JSON, fields and count).

        `_check_quota_and_rate` checked for one unit, before the rate and the parsing, as the order of checks requires
        and when the number of images is not known. A request with more images is checked again, so that a batch above
        the remaining quota is refused as a whole before its images are decoded. Both checks use the balance in memory;
        settling checks the packs in the database.
        """
        if parsed.images > 1:
            app, name = parsed.admitted.app, parsed.admitted.capability.name
            await self._services.ledger.admit(app.account_id, app.app_id, name, parsed.images)

    async def _price(self, result: ReadResult) -> Priced:
        answer = result.answer
        if result.seal is not None:
            with result.admitted.stopwatch.stage("seal"):
                answer = await self._codec.seal(answer, result.seal)
        return Priced(result, answer, self._policy.units(result.events))

    async def _keep(self, priced: Priced) -> Answered:
        """Keep the answer for replay. If a concurrent call with the same request kept one first, that one is used."""
        own, admitted = KeptAnswer(_settlement(priced), _OK, priced.answer), priced.admitted
        kept = await self._services.replays.keep(admitted.replay_key, own)
        if await admitted.exchange.has_disconnected():
            raise ClientDisconnected("disconnected before the answer was charged")
        return Answered(priced, kept)

    async def _settle(self, answered: Answered) -> Settled:
        """Settle a kept answer. An answer that cannot be settled is not sent."""
        admitted, settlement = answered.admitted, answered.kept_answer.settlement
        try:
            with admitted.stopwatch.stage("settle"):
                await self._services.ledger.settle(settlement)
        except Refused:
            await self._services.replays.discard(admitted.replay_key, settlement.call_id)
            raise
        return Settled(answered)


def _settlement(priced: Priced) -> Settlement:
    """The settlement of a new answer; the duration is measured up to here."""
    result, admitted = priced.result, priced.admitted
    return Settlement(
        call_id=result.previous.call_id,
        account_id=admitted.app.account_id,
        app_id=admitted.app.app_id,
        capability=admitted.capability.name,
        units=priced.units,
        images=len(result.events),
        failed_images=sum(event is not Event.IMAGE_READ for event in result.events),
        code=result.code,
        body_bytes=admitted.received.body_bytes,
        duration_ms=admitted.stopwatch.elapsed_ms(),
        client_ip=admitted.exchange.client_ip,
        request_id=admitted.received.started.request_id,
    )
