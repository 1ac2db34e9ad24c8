"""The phases of a call, one frozen type each: the type guarantees that all data of the earlier phases is present.

    Started → Received → Authenticated → Identified → Routed → Admitted → Accepted → Parsed → ReadResult → Priced
            → Answered → Settled

A call that is sent on to the cloud goes from Admitted, after an overload from a later phase, to Forwarded. A body that
cannot be parsed goes from Accepted to ReadResult, a repeated request whose answer is kept from Admitted to Answered.
Every phase returns what is known of the call (`record`), for metrics, log and statistics; an error leaves the call in
its current phase (`progress.py`).

No phase references the body, the base64 texts or the images: their memory is freed when the step that needs them ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from inkgate.service.accounts.directory import AccessKey, App
from inkgate.service.contract.capabilities import Capability
from inkgate.service.gateway.call_record import Caller, CallerIdentity, CallRecord
from inkgate.service.gateway.exchange import Answer, Exchange
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.policy import Event
from inkgate.service.replay import KeptAnswer, replay_key
from inkgate.service.sealed import SealedRequest
from inkgate.service.takeover.upstream import UpstreamAnswer


class Phase(Protocol):
    """Any of the phases below."""

    def record(self) -> CallRecord:
        """What is known of the call in this phase."""


@dataclass(frozen=True, slots=True)
class Started:
    """The headers were received. `request_id` is the client's if well-formed, else a generated UUID."""

    exchange: Exchange
    request_id: str
    stopwatch: Stopwatch

    def record(self) -> CallRecord:
        return CallRecord(self.stopwatch)  # each phase builds its record directly: dataclasses.replace is slow


@dataclass(frozen=True, slots=True)
class Received:
    """The body was received and hashed; it stays in the exchange. `body_bytes` is its length as received."""

    started: Started
    body_bytes: int

    @property
    def exchange(self) -> Exchange:
        return self.started.exchange

    @property
    def stopwatch(self) -> Stopwatch:
        return self.started.stopwatch

    def record(self) -> CallRecord:
        return CallRecord(self.stopwatch, body_bytes=self.body_bytes)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The signature was verified with `key`."""

    received: Received
    key: AccessKey

    def record(self) -> CallRecord:
        received = self.received
        return CallRecord(received.stopwatch, CallerIdentity(self.key.account_id), body_bytes=received.body_bytes)


@dataclass(frozen=True, slots=True)
class Identified:
    """The app is known and belongs to the account of the access key."""

    received: Received
    app: App

    def record(self) -> CallRecord:
        received, app = self.received, self.app
        return CallRecord(
            received.stopwatch, CallerIdentity(app.account_id, app.app_id), body_bytes=received.body_bytes
        )


@dataclass(frozen=True, slots=True)
class Routed:
    """Path and method match a capability. Whether the app may call it is not checked yet."""

    identified: Identified
    capability: Capability

    @property
    def received(self) -> Received:
        return self.identified.received

    @property
    def app(self) -> App:
        return self.identified.app

    @property
    def origin(self) -> CallerIdentity:
        return CallerIdentity(self.app.account_id, self.app.app_id, self.capability.name)

    def record(self) -> CallRecord:
        return CallRecord(self.received.stopwatch, self.origin, body_bytes=self.received.body_bytes)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The caller's address is allowed and the capability is opened for its app.

    `replay_key` is the key under which the answer to this request, and to its repeats, is kept.
    """

    routed: Routed
    replay_key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        app, exchange = self.routed.app, self.exchange
        sent = exchange.headers.get("ctyun-eop-request-id", "")  # `request_id` may be generated
        key = replay_key(app.app_id, sent, exchange.body_hash, self.routed.capability.name)
        object.__setattr__(self, "replay_key", key)

    @property
    def received(self) -> Received:
        return self.routed.received

    @property
    def exchange(self) -> Exchange:
        return self.received.exchange

    @property
    def stopwatch(self) -> Stopwatch:
        return self.received.stopwatch

    @property
    def app(self) -> App:
        return self.routed.app

    @property
    def capability(self) -> Capability:
        return self.routed.capability

    @property
    def caller(self) -> Caller:
        return Caller(self.app, self.capability)

    def record(
        self,
        call_id: str = "",
        code: int = 0,
        images: int = 0,
        units: int = 0,
        events: tuple[Event, ...] = (),
    ) -> CallRecord:
        """What is known of the call now; later phases pass what they add."""
        stopwatch, size, origin = self.stopwatch, self.received.body_bytes, self.routed.origin
        return CallRecord(stopwatch, origin, self.caller, size, call_id, code, images, units, events)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The cloud has answered. `code` is the statusCode in its body as text, "" if there is none; `route` is the reason
    for sending the call on: "mirror", "split" or "fallback". The call is in no ledger."""

    admitted: Admitted
    answer: UpstreamAnswer
    code: str
    route: str

    def record(self) -> CallRecord:
        digits = self.code.rpartition("_")[2]
        return self.admitted.record(code=int(digits) if digits.isdecimal() else 0)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Hold-off, quota and rate were checked: the body may be processed.

    `call_id` is a new UUIDv7, `deadline` Unix time in seconds.
    """

    admitted: Admitted
    call_id: str
    deadline: float

    def record(self) -> CallRecord:
        return self.admitted.record(self.call_id)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The request is well-formed and has `images` images, none of which is decoded yet.

    `plain_bytes` is the length of the body after unsealing; `seal` has the client's keys for the answer to a sealed
    request, without its body.
    """

    accepted: Accepted
    images: int
    plain_bytes: int
    seal: SealedRequest | None

    @property
    def admitted(self) -> Admitted:
        return self.accepted.admitted

    @property
    def call_id(self) -> str:
        return self.accepted.call_id

    def record(self) -> CallRecord:
        return self.admitted.record(self.call_id, images=self.images)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The outcome of each image, or of the request as a whole, as events, and the plain answer as JSON bytes.

    `previous` is Accepted for a request that could not be parsed. `code` is the statusCode of the answer.
    """

    previous: Accepted | Parsed
    events: tuple[Event, ...]
    code: int
    answer: bytes

    @property
    def admitted(self) -> Admitted:
        return self.previous.admitted

    @property
    def seal(self) -> SealedRequest | None:
        """The keys for sealing the answer; None for a plain answer. Answers with an error code are never sealed."""
        return self.previous.seal if isinstance(self.previous, Parsed) and self.code == 0 else None

    @property
    def images(self) -> int:
        """The number of images in the request; 0 when unknown."""
        return self.previous.images if isinstance(self.previous, Parsed) else 0

    def record(self, units: int = 0) -> CallRecord:
        return self.admitted.record(self.previous.call_id, self.code, self.images, units, self.events)


@dataclass(frozen=True, slots=True)
class Priced:
    """The answer as sent, sealed if the request was, and its price in units."""

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
    """The answer is kept and can be settled: this call's own, or that of an earlier call with the same request."""

    previous: Admitted | Priced
    kept_answer: KeptAnswer

    @property
    def admitted(self) -> Admitted:
        return self.previous if isinstance(self.previous, Admitted) else self.previous.admitted

    def record(self) -> CallRecord:
        previous, call_id = self.previous.record(), self.kept_answer.settlement.call_id
        return replace(previous, call_id=call_id, replayed=call_id != previous.call_id)


@dataclass(frozen=True, slots=True)
class Settled:
    """The call is in the ledger; the answer may be sent."""

    answered: Answered

    @property
    def answer(self) -> Answer:
        return Answer(self.answered.kept_answer.status, self.answered.kept_answer.body)

    @property
    def call_id(self) -> str:
        return self.answered.kept_answer.settlement.call_id

    @property
    def replay_key(self) -> str:
        return self.answered.admitted.replay_key

    def record(self) -> CallRecord:
        return self.answered.record()
