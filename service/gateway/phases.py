"""The phases of a call, one frozen type each: what a step needs of the step before is there by its type.

    Started → Received → Authenticated → Identified → Routed → Admitted → Entered → Parsed → ReadResult → Priced
            → Answered → Settled

A body that cannot be parsed goes from Entered to ReadResult, an answer that was kept for a repeated request from
Admitted to Answered. Every phase can tell what is known of the call (`record`), for metrics, log and statistics; an
error leaves the call in the phase that it had reached (`progress.py`).

No phase holds the body, the base64 texts or the images: their memory is freed as soon as the step that needs them ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from inkgate.service.accounts.directory import AccessKey, App
from inkgate.service.contract.capabilities import Capability
from inkgate.service.gateway.call_record import Caller, CallRecord, Origin
from inkgate.service.gateway.exchange import Answer, Exchange
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event
from inkgate.service.replay import KeptAnswer, replay_key
from inkgate.service.sealed import SealedRequest


class Phase(Protocol):
    """Any of the phases below."""

    def record(self) -> CallRecord:
        """What is known of the call in this phase."""


@dataclass(frozen=True, slots=True)
class Started:
    """The headers have come. `request_id` is the client's where it is well-formed, else ours."""

    exchange: Exchange
    request_id: str
    watch: Stopwatch

    def record(self) -> CallRecord:
        return CallRecord(self.watch)  # each phase makes its record at once: replacing fields step by step is slow


@dataclass(frozen=True, slots=True)
class Received:
    """The body has come whole and is hashed; it stays in the exchange. `body_bytes` is its length as received."""

    started: Started
    body_bytes: int

    @property
    def exchange(self) -> Exchange:
        return self.started.exchange

    @property
    def watch(self) -> Stopwatch:
        return self.started.watch

    def record(self) -> CallRecord:
        return CallRecord(self.watch, body_bytes=self.body_bytes)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The signature was made with `key`."""

    received: Received
    key: AccessKey

    def record(self) -> CallRecord:
        received = self.received
        return CallRecord(received.watch, Origin(self.key.account_id), body_bytes=received.body_bytes)


@dataclass(frozen=True, slots=True)
class Identified:
    """The app is known and belongs to the account of the access key."""

    received: Received
    app: App

    def record(self) -> CallRecord:
        received, app = self.received, self.app
        return CallRecord(received.watch, Origin(app.account_id, app.app_id), body_bytes=received.body_bytes)


@dataclass(frozen=True, slots=True)
class Routed:
    """Path and method name a capability. Whether the app may call it is not known yet."""

    identified: Identified
    capability: Capability

    @property
    def received(self) -> Received:
        return self.identified.received

    @property
    def app(self) -> App:
        return self.identified.app

    @property
    def origin(self) -> Origin:
        return Origin(self.app.account_id, self.app.app_id, self.capability.name)

    def record(self) -> CallRecord:
        return CallRecord(self.received.watch, self.origin, body_bytes=self.received.body_bytes)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The caller's address is allowed and the capability is opened for its app."""

    routed: Routed

    @property
    def received(self) -> Received:
        return self.routed.received

    @property
    def exchange(self) -> Exchange:
        return self.received.exchange

    @property
    def watch(self) -> Stopwatch:
        return self.received.watch

    @property
    def app(self) -> App:
        return self.routed.app

    @property
    def capability(self) -> Capability:
        return self.routed.capability

    @property
    def caller(self) -> Caller:
        return Caller(self.app, self.capability)

    @property
    def replay_key(self) -> str:
        """The name under which the answer of the very same request is kept."""
        exchange = self.exchange
        sent = exchange.headers.get("ctyun-eop-request-id", "")  # not `request_id`, which is ours where this is odd
        return replay_key(self.app.app_id, sent, exchange.body_hash, self.capability.name)

    def record(
        self,
        call_id: str = "",
        code: int = 0,
        images: int = 0,
        units: int = 0,
        events: tuple[Event, ...] = (),
    ) -> CallRecord:
        """What is known of the call now; later phases say what they know besides."""
        watch, size, origin = self.watch, self.received.body_bytes, self.routed.origin
        return CallRecord(watch, origin, self.caller, size, call_id, code, images, units, events)


@dataclass(frozen=True, slots=True)
class Entered:
    """Not held off, something left in the packs, within the rate: work on the call begins.

    `call_id` is ours (UUIDv7), `deadline` Unix time in seconds.
    """

    admitted: Admitted
    call_id: str
    deadline: float

    def record(self) -> CallRecord:
        return self.admitted.record(self.call_id)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The request is well-formed and has `images` images, none of which is decoded yet.

    `plain_bytes` is the length of the body, opened if it was sealed; `seal` holds the client's keys for the answer of a
    sealed request, without its body.
    """

    entered: Entered
    images: int
    plain_bytes: int
    seal: SealedRequest | None

    @property
    def admitted(self) -> Admitted:
        return self.entered.admitted

    @property
    def call_id(self) -> str:
        return self.entered.call_id

    def record(self) -> CallRecord:
        return self.admitted.record(self.call_id, images=self.images)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What became of the images, or of the request as a whole: one event each, and the plain answer as JSON bytes.

    `before` is Entered for a request that could not be parsed. `code` is the statusCode of the answer.
    """

    before: Entered | Parsed
    events: tuple[Event, ...]
    code: int
    answer: bytes

    @property
    def admitted(self) -> Admitted:
        return self.before.admitted

    @property
    def seal(self) -> SealedRequest | None:
        """The keys under which the answer is to be sealed; None for one in plain, as all are that have a code."""
        return self.before.seal if isinstance(self.before, Parsed) and self.code == 0 else None

    @property
    def images(self) -> int:
        """How many images the request has; 0 when that is not known."""
        return self.before.images if isinstance(self.before, Parsed) else 0

    def record(self, units: int = 0) -> CallRecord:
        return self.admitted.record(self.before.call_id, self.code, self.images, units, self.events)


@dataclass(frozen=True, slots=True)
class Priced:
    """The answer as it is to be sent, sealed if need be, and the units that it costs."""

    result: ReadResult
    answer: bytes
    units: int

    @property
    def admitted(self) -> Admitted:
        return self.result.admitted

    def record(self) -> CallRecord:
        return self.result.record(self.units)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer is kept and can be settled: this call's own, or that of the same request sent before."""

    before: Admitted | Priced
    kept: KeptAnswer

    @property
    def admitted(self) -> Admitted:
        return self.before if isinstance(self.before, Admitted) else self.before.admitted

    def record(self) -> CallRecord:
        before, call_id = self.before.record(), self.kept.settlement.call_id
        return replace(before, call_id=call_id, replayed=call_id != before.call_id)


@dataclass(frozen=True, slots=True)
class Settled:
    """The call is in the ledger, and the answer may be sent."""

    answered: Answered

    @property
    def answer(self) -> Answer:
        return Answer(self.answered.kept.status, self.answered.kept.body)

    @property
    def call_id(self) -> str:
        return self.answered.kept.settlement.call_id

    @property
    def replay_key(self) -> str:
        return self.answered.admitted.replay_key

    def record(self) -> CallRecord:
        return self.answered.record()
