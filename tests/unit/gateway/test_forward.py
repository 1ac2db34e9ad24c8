"""Which calls go to the cloud, what goes there, and what comes of it; without sockets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace

import httpx
import pytest

from inkgate.service.background import Background
from inkgate.service.broker.interface import QueueState
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import BrokerUnavailable, Overloaded, UpstreamFailed, UpstreamTimedOut
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.forward import Forwarder, upstream_request
from inkgate.service.gateway.services import Services
from inkgate.service.gateway.shadow import SHADOW_APP, ShadowReader, ShadowSettings
from inkgate.service.sealed import keys, seal_answer, sm2
from inkgate.service.sealed.envelope import open_request
from inkgate.service.takeover.observation import Observation
from inkgate.service.takeover.routes import Mode, Route
from inkgate.service.takeover.upstream import UpstreamAnswer, UpstreamRequest
from inkgate.service.telemetry.metrics import Metrics
from tests.gateway import APPKEY, PNG, SM2_PRIVATE, GatewayUnderTest, body_of
from tests.unit.gateway.calls import exchange
from tests.unit.sealed import oracle

GENERAL, IDCARD = CAPABILITIES["general"], CAPABILITIES["idcard"]
CLOUD_BODY = b'{"statusCode":0,"message":{"success":1,"fail":0},"returnObj":[]}'
MIRROR, HERE, AWAY = Route(Mode.MIRROR, 0), Route(Mode.LOCAL, 100), Route(Mode.SPLIT, 0)
SECONDS = 10


@dataclass
class FakeCloud:
    """Answers each request with `answer`, or raises `fail`."""

    answer: UpstreamAnswer = field(
        default_factory=lambda: UpstreamAnswer(200, [(b"X-Cloud", b"1"), (b"content-type", b"a/b")], CLOUD_BODY, 0.25)
    )
    fail: Exception | None = None
    requests: list[UpstreamRequest] = field(default_factory=list)
    gate: asyncio.Event | None = None
    cancelled: bool = False

    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        self.requests.append(replace(request, body=bytes(request.body)))
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        if self.fail:
            raise self.fail
        return self.answer


@dataclass
class FakeRoutes:
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)

    def find(self, app_id: str, capability: str) -> Route | None:
        return self.routes.get((app_id, capability))


@dataclass
class Recorder:
    observations: list[Observation] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def record(self, observation: Observation) -> None:
        self.observations.append(observation)
        self.arrived.set()


class Mirror:
    """A gateway before a fake cloud."""

    def __init__(self, route: Route | None, *, fallback: bool = False, calls: int = 10, size: int = 1 << 20) -> None:
        self.cloud, self.recorder, self.routes = FakeCloud(), Recorder(), FakeRoutes()
        if route is not None:
            self.routes.routes["app-1", "general"] = route
        self._bounds = ShadowSettings(calls=calls, bytes=size, at_once=1, wait=0.3, deadline=5.0, superset=False)
        self._fallback = fallback
        self.gateway = GatewayUnderTest(extend=self._extend)

    def _extend(self, services: Services, metrics: Metrics) -> Services:
        codec = BodyCodec(services.pool, sm2.select_provider("auto"))
        self.shadow = ShadowReader(services.broker, codec, self.recorder, metrics, self._bounds, Background())
        forwarder = Forwarder(self.routes, self.cloud, metrics, fallback=self._fallback)
        return replace(services, forwarder=forwarder, shadow=self.shadow)

    async def __aenter__(self) -> Mirror:
        await self.shadow.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.shadow.close()

    async def call(self, **given: object) -> httpx.Response:
        return await self.gateway.call(GENERAL, given.pop("body", body_of(GENERAL, PNG)), **given)  # type: ignore[arg-type]

    async def observed(self) -> Observation:
        """The next observation."""
        async with asyncio.timeout(SECONDS):
            await self.recorder.arrived.wait()
        self.recorder.arrived.clear()
        return self.recorder.observations.pop(0)

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(f"inkgate_takeover_{name}", labels) or 0.0


async def test_a_mirrored_call_is_the_clouds_and_is_read_here_without_a_unit() -> None:
    async with Mirror(MIRROR) as mirror:
        answer = await mirror.call()
        assert (answer.status_code, answer.content, answer.headers["x-cloud"]) == (200, CLOUD_BODY, "1")
        seen = await mirror.observed()
    assert (seen.account_id, seen.app_id, seen.capability, seen.skipped) == ("account-1", "app-1", "general", "")
    assert seen.cloud is not None and seen.local is not None
    assert (seen.cloud.status, seen.cloud.code, seen.cloud.seconds) == (200, "0", 0.25)
    assert seen.cloud.body == CLOUD_BODY and seen.local.code == "0" and seen.local.status == 200
    assert seen.local.body is not None and json.loads(seen.local.body)["message"] == {"success": 1, "fail": 0}
    assert mirror.gateway.ledger.settled == {} and mirror.gateway.broker.tasks[0].app == SHADOW_APP
    assert mirror.metric("calls_total", capability="general", route="mirror", outcome="answered") == 1
    assert mirror.metric("shadow_total", capability="general", result="read") == 1


async def test_the_packs_and_the_rate_do_not_matter_to_a_call_of_the_cloud() -> None:
    async with Mirror(AWAY) as mirror:
        mirror.gateway.ledger.refuse, mirror.gateway.limiter.wait = 51002, 1.0
        assert (await mirror.call()).content == CLOUD_BODY


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"sk": "0" * 32}, "CTAPI_10020"),
        ({"appkey": "f" * 32}, 40006),
        ({"appkey": None}, 40002),
        ({"method": "GET"}, 400002),
        ({"peer": "192.0.2.1"}, 40009),
    ],
)
async def test_a_refused_call_goes_nowhere(given: dict[str, object], code: object) -> None:
    async with Mirror(MIRROR) as mirror:
        if "peer" in given:
            mirror.gateway.directory.add(APPKEY, allowed=["198.51.100.0/24"])
        assert (await mirror.call(**given)).json()["statusCode"] == code
        assert mirror.cloud.requests == []


async def test_a_call_of_another_app_or_capability_is_answered_here() -> None:
    async with Mirror(MIRROR) as mirror:
        answer = await mirror.gateway.call(IDCARD, body_of(IDCARD, PNG))
        assert answer.json()["statusCode"] == 0 and mirror.cloud.requests == []
        assert mirror.gateway.ledger.units == 1


async def test_a_split_is_decided_by_the_request_alone() -> None:
    async with Mirror(Route(Mode.SPLIT, 50)) as mirror:
        before: dict[str, bool] = {}
        for attempt in range(2):
            for number in range(40):
                count = len(mirror.cloud.requests)
                await mirror.call(request_id=f"request-{number}")
                away = len(mirror.cloud.requests) > count
                assert before.setdefault(f"request-{number}", away) == away, attempt
        assert 5 < sum(before.values()) < 35
        local = 2 * (40 - sum(before.values()))
        assert mirror.gateway.ledger.units == len(mirror.gateway.ledger.settled) == local


async def test_a_request_that_stays_here_at_more_percent() -> None:
    keys_of_calls = [f"{number:08x}" for number in range(0, 1 << 32, 1 << 25)]
    for lower, higher in ((0, 1), (1, 10), (10, 99), (99, 100)):
        here = {key for key in keys_of_calls if Route(Mode.SPLIT, lower).is_local(key)}
        assert here <= {key for key in keys_of_calls if Route(Mode.SPLIT, higher).is_local(key)}
    assert not any(Route(Mode.SPLIT, 0).is_local(key) for key in keys_of_calls)
    assert all(Route(Mode.SPLIT, 100).is_local(key) for key in keys_of_calls)


async def test_an_answer_that_is_kept_here_is_given_here_whatever_the_route() -> None:
    async with Mirror(HERE) as mirror:
        raw = json.dumps(body_of(GENERAL, PNG)).encode()
        mirror.gateway.replays.discard = _keep_all  # type: ignore[method-assign]
        first = await mirror.call(body=raw, request_id="same")
        mirror.routes.routes["app-1", "general"] = MIRROR
        second = await mirror.call(body=raw, request_id="same")
        assert first.content == second.content and mirror.cloud.requests == []
        assert mirror.gateway.ledger.units == 1


async def _keep_all(key: str, call_id: str) -> None:
    """An answer that was not delivered stays."""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpstreamFailed("reset"), 502, 50200),
        (UpstreamTimedOut("late"), 504, 50400),
        (Overloaded("no connection"), 503, 50300),
    ],
)
async def test_a_fault_of_the_cloud_has_its_code_and_uses_no_unit(error: Exception, status: int, code: int) -> None:
    async with Mirror(MIRROR) as mirror:
        mirror.cloud.fail = error
        answer = await mirror.call(request_id="r-1")
        assert (answer.status_code, answer.json()["statusCode"], answer.json()["requestId"]) == (status, code, "r-1")
        assert mirror.gateway.ledger.settled == {}
        if code != 50300:
            seen = await mirror.observed()  # it is read here all the same
            assert seen.cloud is not None and (seen.cloud.status, seen.cloud.code) == (status, str(code))
            assert seen.cloud.body is None and seen.local is not None and seen.local.code == "0"


async def test_the_cloud_is_given_up_when_the_client_is_gone() -> None:
    async with Mirror(AWAY) as mirror:
        mirror.cloud.gate = asyncio.Event()
        task = asyncio.create_task(mirror.call())
        while not mirror.cloud.requests:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert mirror.cloud.cancelled and mirror.gateway.ledger.settled == {}


@pytest.mark.parametrize("error", [Overloaded("full"), BrokerUnavailable("away")])
@pytest.mark.parametrize("route", [HERE, Route(Mode.SPLIT, 100)])
async def test_with_fallback_an_overload_goes_to_the_cloud_and_comes_back(error: Exception, route: Route) -> None:
    async with Mirror(route, fallback=True) as mirror:
        raw = json.dumps(body_of(GENERAL, PNG, PNG)).encode()
        mirror.gateway.broker.fail = error
        assert (await mirror.call(body=raw)).content == CLOUD_BODY
        assert mirror.cloud.requests[0].body == raw and mirror.gateway.ledger.settled == {}
        mirror.gateway.broker.fail = None
        assert (await mirror.call(body=raw)).json()["message"] == {"success": 2, "fail": 0}
        assert mirror.gateway.ledger.units == 2 and len(mirror.cloud.requests) == 1


@pytest.mark.parametrize(
    ("route", "fallback"), [(HERE, False), (None, True), (replace(HERE, fallback=False), True)], ids=str
)
async def test_without_fallback_an_overload_stays_503(route: Route | None, fallback: bool) -> None:
    async with Mirror(route, fallback=fallback) as mirror:
        mirror.gateway.broker.fail = Overloaded("full")
        assert (await mirror.call()).status_code == 503 and mirror.cloud.requests == []


async def test_other_refusals_never_fall_back() -> None:
    async with Mirror(HERE, fallback=True) as mirror:
        mirror.gateway.ledger.refuse = 51003
        assert (await mirror.call()).json()["statusCode"] == 51003
        mirror.gateway.ledger.refuse, mirror.gateway.broker.holds[APPKEY] = 0, 30.0
        assert (await mirror.call()).status_code == 503
        assert mirror.cloud.requests == []


async def test_a_mirrored_call_is_not_read_while_the_workers_are_busy() -> None:
    async with Mirror(MIRROR) as mirror:
        mirror.gateway.broker.state = _busy  # type: ignore[method-assign]
        assert (await mirror.call()).content == CLOUD_BODY
        seen = await mirror.observed()
    assert (seen.skipped, seen.local) == ("shed", None) and seen.cloud is not None and seen.cloud.code == "0"
    assert mirror.gateway.broker.tasks == []
    assert mirror.metric("shadow_total", capability="general", result="shed") == 1


async def _busy() -> QueueState:
    return QueueState(0, 1, 0.0, 2)  # one of two workers is free: it is left to a call


@pytest.mark.parametrize("bounds", [{"calls": 0}, {"size": 100}])
async def test_the_queue_of_mirrored_calls_is_bounded(bounds: dict[str, int]) -> None:
    async with Mirror(MIRROR, **bounds) as mirror:
        await mirror.call()
        seen = await mirror.observed()
        assert (seen.skipped, seen.local) == ("shed", None)
        assert seen.cloud is not None and (seen.cloud.code, seen.cloud.body) == ("0", None)


async def test_calls_beyond_every_bound_are_counted_only() -> None:
    mirror = Mirror(MIRROR, calls=1)  # its reader is not started
    for _ in range(15):
        await mirror.call()
    assert mirror.metric("shadow_total", capability="general", result="shed") == 5
    assert mirror.metric("shadow_waiting") == 1


async def test_a_defect_of_reading_ends_neither_the_reader_nor_the_call() -> None:
    async with Mirror(MIRROR) as mirror:
        mirror.gateway.broker.fail = RuntimeError("defect")
        assert (await mirror.call()).content == CLOUD_BODY
        assert (await mirror.observed()).skipped == "failed"
        mirror.gateway.broker.fail = None
        await mirror.call()
        assert (await mirror.observed()).skipped == ""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "400004"),
        (b"", "400003"),
        (json.dumps({"data": ["!"]}).encode(), "0"),  # the image's own fault
    ],
)
async def test_a_fault_of_the_request_is_an_answer_too(body: bytes, code: str) -> None:
    async with Mirror(MIRROR) as mirror:
        await mirror.call(body=body)
        seen = await mirror.observed()
    assert seen.local is not None and (seen.local.code, seen.skipped) == (code, "")


async def test_a_sealed_call_is_read_where_the_key_is_here() -> None:
    sealed = sealed_for(keys.public_of(SM2_PRIVATE))
    async with Mirror(MIRROR) as mirror:
        mirror.cloud.answer = replace(
            mirror.cloud.answer, body=seal_answer(CLOUD_BODY, open_request(sealed, SM2_PRIVATE))
        )
        answer = await mirror.call(body=sealed, headers={"decrypted": "true"})
        assert answer.content == mirror.cloud.answer.body
        seen = await mirror.observed()
    assert seen.cloud is not None and (seen.cloud.code, seen.cloud.body) == ("0", CLOUD_BODY)
    assert seen.local is not None and seen.local.body is not None and seen.skipped == ""
    assert json.loads(seen.local.body)["message"] == {"success": 1, "fail": 0}


async def test_a_sealed_call_for_another_key_is_sent_on_alone() -> None:
    private, public = keys.generate()
    assert private != SM2_PRIVATE
    sealed = sealed_for(public)
    async with Mirror(MIRROR) as mirror:
        assert (await mirror.call(body=sealed, headers={"decrypted": "true"})).content == CLOUD_BODY
        seen = await mirror.observed()
    assert (seen.skipped, seen.local) == ("sealed", None)


def sealed_for(public: str) -> bytes:
    """A sealed request for the owner of a public key."""
    seal = oracle.Sealer(keys.decode_public(public))
    return oracle.body(seal(json.dumps(body_of(GENERAL, PNG)).encode()))


def test_what_a_trusted_proxy_added_is_left_out() -> None:
    source = exchange(x_forwarded_for="198.51.100.7", X_Real_IP="198.51.100.7", eop_date="x")
    source.client_ip, source.peer = "198.51.100.7", "10.0.0.1"
    assert [name for name, _ in upstream_request(source).headers] == [b"ctyun-eop-request-id", b"eop-date"]
    source.peer = source.client_ip  # the client's own words
    assert len(upstream_request(source).headers) == 4
