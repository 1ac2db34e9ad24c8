"""A gateway over in-memory dependencies, for tests and fuzzers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_network

import httpx

from inkgate.service.accounts.directory import AccessKey, App, OpenedCapability
from inkgate.service.broker.interface import Outcome, QueueState, Reply, Task
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.eop.signing import call_headers
from inkgate.service.errors import Refused
from inkgate.service.gateway.app import create_app
from inkgate.service.gateway.services import Services
from inkgate.service.metering.interface import Settlement
from inkgate.service.replay import MemoryReplayStore, ReplayStore
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics

AK, SK, APPKEY = "a" * 32, "5" * 32, "b" * 32
SM2_PRIVATE = (0x1234567890ABCDEF).to_bytes(32, "big")
ELEMENTS = {
    "general": {"text_line": 0, "detail": []},
    "idcard": {"note": "", "detail": {}},
    "plate": {"number of plate licenses": 0, "detail": []},
    "licence": {"license_type": "Not Business License", "detail": {}},
}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAALUlEQVR4nO3MMQEAAAjDMMC/MGQhYg9H+je9lTXhDwAAAAAAAAAAAAAAAOA9cNJoAUh19VDgAAAAAElFTkSuQmCC"
)


class MemoryDirectory:
    def __init__(self) -> None:
        opened = {name: OpenedCapability(qps=1000.0) for name in CAPABILITIES}
        self.apps = {APPKEY: App("app-1", "account-1", APPKEY, "测试应用", opened, sm2_private_key=SM2_PRIVATE)}
        self.keys = {AK: AccessKey(AK, SK.encode(), "account-1")}

    def add(self, appkey: str, *, account: str = "account-1", allowed=(), opened=None, only=()) -> str:
        table = {n: OpenedCapability(1000.0, tuple(map(ip_network, only))) for n in (opened or CAPABILITIES)}
        self.apps[appkey] = App(appkey, account, appkey, appkey, table, tuple(map(ip_network, allowed)))
        return appkey

    async def access_key(self, ak: str) -> AccessKey | None:
        return self.keys.get(ak)

    async def app(self, appkey: str) -> App | None:
        return self.apps.get(appkey)


@dataclass
class MemoryLedger:
    """Records settlements; `refuse` is a code raised by `admit`, `fail` an error raised by `settle`."""

    settled: dict[str, Settlement] = field(default_factory=dict)
    refuse: int = 0
    remaining: int = 10**9
    fail: Exception | None = None

    async def admit(self, account_id: str, app_id: str, capability: str, units: int) -> None:
        if self.refuse:
            raise Refused(self.refuse)
        if units > self.remaining:
            raise Refused(51003)

    async def settle(self, settlement: Settlement) -> None:
        if self.fail:
            raise self.fail
        self.settled[settlement.call_id] = settlement

    @property
    def units(self) -> int:
        return sum(s.units for s in self.settled.values())


@dataclass
class MemoryBroker:
    """Answers every task at once; `outcomes` overrides the outcome by task number."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    fail: Exception | None = None
    holds: dict[str, float] = field(default_factory=dict)  # AppKey -> seconds

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        if self.fail:
            raise self.fail
        self.tasks += tasks
        return [
            Reply(t.call_id, t.number, self.outcomes.get(t.number, Outcome.READ), ELEMENTS[t.capability]) for t in tasks
        ]

    async def state(self) -> QueueState:
        return QueueState(0, 0, 0.0, 1)

    def held(self, app: str) -> float:
        return self.holds.get(app, 0.0)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class MemoryLimiter:
    wait: float | None = None

    async def acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        return self.wait


class GatewayUnderTest:
    """The application, its dependencies, and a signing client."""

    def __init__(
        self,
        settings: Settings | None = None,
        replays: ReplayStore | None = None,
        extend: Callable[[Services, Metrics], Services] = lambda services, metrics: services,
    ) -> None:
        self.settings = settings or Settings()
        self.directory, self.ledger, self.broker = MemoryDirectory(), MemoryLedger(), MemoryBroker()
        self.limiter, self.replays = MemoryLimiter(), replays or MemoryReplayStore()
        self.metrics, self.health = Metrics("gateway", "test", capabilities=CAPABILITIES), Health()
        services = Services(
            self.directory,
            self.ledger,
            self.broker,
            self.limiter,
            self.replays,
            ThreadPoolExecutor(2),  # type: ignore[arg-type]
        )
        self.app = create_app(self.settings, extend(services, self.metrics), self.metrics, self.health)

    def client(self, peer: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(peer, 1), raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def call(
        self,
        capability: Capability,
        body: object,
        *,
        path: str | None = None,
        method: str = "POST",
        appkey: str | None = APPKEY,
        sk: str = SK,
        peer: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        request_id: str | None = None,
    ) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = signed_headers(raw, appkey=appkey, sk=sk, request_id=request_id)
        async with self.client(peer) as client:
            return await client.request(
                method, path or capability.paths[0], content=raw, headers={**signed, **(headers or {})}
            )


def signed_headers(
    raw: bytes, *, appkey: str | None = APPKEY, sk: str = SK, request_id: str | None = None
) -> dict[str, str]:
    return call_headers(AK, sk.encode(), appkey or "", raw, request_id or "")


def body_of(capability: Capability, *images: bytes | str) -> dict[str, object]:
    texts = [image if isinstance(image, str) else base64.b64encode(image).decode() for image in images]
    if capability.single:
        return {"Action": "BusinessCardOCR", "ImageData": texts[0]}
    return {"data": texts}
