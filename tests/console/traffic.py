"""Known traffic: signed calls through a real gateway and ledger, with the expected record of each call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from inkgate.service.accounts import SqlDirectory
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.service import KeyPair, NewApp
from inkgate.service.broker.interface import Reply, Task
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.errors import BrokerUnavailable
from inkgate.service.gateway.app import create_app
from inkgate.service.gateway.services import Services
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.service import grant_pack
from inkgate.service.ratelimit import LocalLimiter
from inkgate.service.replay import MemoryReplayStore
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.usage.refusals import Refusals, RefusalWriter
from tests.console.console_fixture import ConsoleFixture
from tests.gateway import PNG, MemoryBroker, body_of

SECONDS = {"general": 0.012, "licence": 0.05, "plate": 0.0}


class Broker(MemoryBroker):
    """Answers with a delay per capability."""

    async def submit(self, tasks: Sequence[Task]) -> list[Reply]:
        await asyncio.sleep(SECONDS[tasks[0].capability])
        return await super().submit(tasks)


@dataclass(frozen=True, slots=True)
class Caller:
    """Signing keys, app and peer address of a client."""

    keys: KeyPair
    app: NewApp
    peer: str


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call and the code of its answer. `account` is the main account, "" for an unauthenticated client."""

    account: str
    owner: str
    app: str
    capability: str
    code: int
    settled: bool
    images: int = 0
    failed: int = 0
    units: int = 0
    size: int = 0
    peer: str = ""


@dataclass
class RecordedTraffic:
    """A console whose customers call a gateway; `made` records all calls."""

    console: ConsoleFixture
    gateway: FastAPI
    broker: Broker
    ledger: SqlLedger
    writer: RefusalWriter
    callers: dict[str, Caller] = field(default_factory=dict)
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: list[RecordedCall] = field(default_factory=list)

    @classmethod
    async def build(cls, console: ConsoleFixture) -> RecordedTraffic:
        """With the apps portal, batch and fenced of the main account, branch of its sub-account, rival of another."""
        vault, broker, refusals = console.parts.vault, Broker(), Refusals()
        metrics = Metrics("gateway", "test", capabilities=CAPABILITIES)
        ledger = SqlLedger(console.engine, clock=console.clock, balance_ttl=0.0, metrics=metrics)
        services = Services(
            SqlDirectory(console.engine, vault, default_qps=1000.0),
            ledger,
            broker,
            LocalLimiter(),
            MemoryReplayStore(),
            ThreadPoolExecutor(1),
            refusals=refusals,
        )
        gateway = create_app(console.parts.settings, services, metrics, Health())
        driven = cls(console, gateway, broker, ledger, RefusalWriter(console.engine, refusals, clock=console.clock))
        async with console.begin() as unit:
            sub = await accounts.create_account(unit, "青禾-二部", parent_id=console.account_id)
        for name, owner, main, opened, peer in (
            ("portal", console.account_id, console.account_id, ("general", "idcard", "plate", "licence"), "192.0.2.10"),
            ("batch", console.account_id, console.account_id, ("general", "licence"), "198.51.100.7"),
            ("fenced", console.account_id, console.account_id, ("general",), "198.51.100.8"),
            ("branch", sub.id, console.account_id, ("general", "licence"), "203.0.113.5"),
            ("rival", console.other_id, console.other_id, ("general",), "203.0.113.99"),
        ):
            await driven._app(name, owner, main, opened, peer)
        async with console.begin() as unit:
            await accounts.set_allowed(unit, driven.callers["fenced"].app.app_id, ["10.0.0.0/8"])
            await accounts.set_qps(unit, driven.callers["branch"].app.app_id, "licence", 0.001)
            for account, capability, units in (
                (console.account_id, "general", 10_000),
                (console.account_id, "plate", 2),
                (console.other_id, "general", 100),
            ):
                await grant_pack(unit, account, capability, units)
        console.clock.advance(seconds=1)
        return driven

    async def _app(self, name: str, owner: str, main: str, opened: Sequence[str], peer: str) -> None:
        async with self.console.begin() as unit:
            keys = await accounts.create_access_key(unit, self.console.parts.vault, owner)
            app = await accounts.create_app(unit, self.console.parts.vault, owner, f"{name}_of_truth")
            for capability in opened:
                await accounts.open_capability(unit, app.app_id, capability)
        self.callers[name] = Caller(keys, app, peer)
        self.owners[name] = (main, owner)

    async def call(
        self,
        name: str,
        capability: str,
        code: int,
        *images: bytes | str,
        raw: bytes | None = None,
        settled: bool = True,
        failed: int = 0,
        units: int | None = None,
        app_known: bool = True,
        secret: str = "",
        appkey: str | None = None,
        path: str = "",
        method: str = "POST",
    ) -> None:
        """Send a signed call and check its `code`. `app_known`: whether the gateway knows the app of the call."""
        who, known = self.callers[name], CAPABILITIES[capability]
        body = raw if raw is not None else json.dumps(body_of(known, *(images or (PNG,)))).encode()
        headers = call_headers(
            who.keys.ak, (secret or who.keys.sk).encode(), who.app.appkey if appkey is None else appkey, body
        )
        transport = httpx.ASGITransport(self.gateway, client=(who.peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            answer = await client.request(method, path or known.paths[0], content=body, headers=headers)
        found = answer.json()["statusCode"]
        assert str(found).removeprefix("CTAPI_") == str(code), answer.text
        main, owner = self.owners[name] if not secret else ("", "")
        count = max(len(images), 1) if settled else 0
        self.made.append(
            RecordedCall(
                main,
                owner,
                who.app.app_id if app_known else "",
                capability if app_known else "",
                code,
                settled,
                count,
                failed,
                (count if units is None else units) if settled else 0,
                len(body),
                who.peer,
            )
        )

    async def day(self) -> None:
        """The traffic of one day: successful, failed and refused calls."""
        for _ in range(3):
            await self.call("portal", "general", 0, PNG, PNG)
        await self.call("portal", "general", 0, PNG, "!!!", PNG, failed=1)
        await self.call("portal", "general", 400018, *([PNG] * 51), units=1)
        self.made[-1] = _one_image(self.made[-1])
        await self.call("portal", "general", 400004, raw=b"not json", failed=1)
        await self.call("portal", "plate", 0)
        await self.call("portal", "licence", 0)
        await self.call("batch", "licence", 400009, raw=b'{"Action":"TTS","ImageData":"aaaa"}', failed=1)
        for _ in range(2):
            await self.call("batch", "general", 0, PNG, PNG, PNG)
        for _ in range(4):
            await self.call("branch", "general", 0)
        await self.call("rival", "general", 0)
        await self.refusals()

    async def refusals(self) -> None:
        """One call or more for each reason of refusal."""
        for _ in range(2):
            await self.call("portal", "general", 10020, secret="0" * 32, app_known=False, settled=False)
        await self.call("batch", "general", 40002, appkey="", app_known=False, settled=False)
        await self.call("batch", "general", 40006, appkey="f" * 32, app_known=False, settled=False)
        for _ in range(3):
            await self.call("batch", "plate", 50002, settled=False)
        await self.call("fenced", "general", 40009, settled=False)
        for _ in range(2):
            await self.call("portal", "idcard", 51002, settled=False)
        await self.call("portal", "plate", 51003, PNG, PNG, settled=False)
        await self.call("portal", "idcard", 4012, method="PUT", settled=False)
        await self.call("rival", "general", 400002, method="PUT", settled=False)
        self.broker.fail = BrokerUnavailable("away")
        await self.call("branch", "general", 50000, settled=False)
        self.broker.fail = None

    async def limited(self) -> None:
        """The rate limit: one of five licence calls of the branch passes."""
        await self.call("branch", "licence", 0)
        for _ in range(4):
            await self.call("branch", "licence", 42900, settled=False)

    async def metrics(self) -> list[Sample]:
        """All samples of /metrics."""
        transport = httpx.ASGITransport(self.gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            text = (await client.get("/metrics")).text
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def _one_image(made: RecordedCall) -> RecordedCall:
    """A request rejected as a whole counts as one failed image."""
    return RecordedCall(
        made.account, made.owner, made.app, made.capability, made.code, True, 1, 1, 1, made.size, made.peer
    )
