"""Builders of calls in any phase, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson

from inkgate.service.accounts.directory import AccessKey, App, OpenedCapability
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.gateway.exchange import Exchange
from inkgate.service.gateway.phases import (
    Accepted,
    Admitted,
    Answered,
    Authenticated,
    Identified,
    Parsed,
    Priced,
    ReadResult,
    Received,
    Routed,
    Settled,
    Started,
)
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.policy import Event
from inkgate.service.replay import KeptAnswer
from inkgate.service.sealed import SealedRequest

CALL_ID, REQUEST_ID = "0190a000-0000-7000-8000-000000000001", "r-1"
APP = App("app-1", "account-1", "b" * 32, "an app", {name: OpenedCapability(5.0) for name in CAPABILITIES})


def exchange(body: bytes = b"", **headers: str) -> Exchange:
    """An exchange whose client sends `body` and then waits for the answer."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        raise AssertionError("nothing is answered here")

    raw = [(b"ctyun-eop-request-id", REQUEST_ID.encode())]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"method": "POST", "path": CAPABILITIES["general"].paths[0], "query_string": b"", "headers": raw}
    return Exchange(scope, receive, send)


def received(source: Exchange | None = None, body_bytes: int = 1000) -> Received:
    return Received(Started(source or exchange(), REQUEST_ID, Stopwatch()), body_bytes)


def authenticated() -> Authenticated:
    return Authenticated(received(), AccessKey("a" * 32, b"secret", "account-1"))


def identified(source: Exchange | None = None, app: App = APP) -> Identified:
    return Identified(received(source), app)


def routed(capability: str = "general", source: Exchange | None = None, app: App = APP) -> Routed:
    return Routed(identified(source, app), CAPABILITIES[capability])


def admitted(capability: str = "general", source: Exchange | None = None, app: App = APP) -> Admitted:
    return Admitted(routed(capability, source, app))


def accepted(capability: str = "general", source: Exchange | None = None, app: App = APP) -> Accepted:
    return Accepted(admitted(capability, source, app), CALL_ID, 1e12)


def parsed(images: int = 1, capability: str = "general", seal: SealedRequest | None = None) -> Parsed:
    return Parsed(accepted(capability), images, 900, seal)


def read_result(
    events: Iterable[Event] = (Event.IMAGE_READ,),
    *,
    code: int = 0,
    previous: Accepted | Parsed | None = None,
) -> ReadResult:
    events = tuple(events)
    return ReadResult(previous or parsed(len(events)), events, code, orjson.dumps({"statusCode": code}))


def priced(result: ReadResult | None = None, units: int = 1) -> Priced:
    result = result or read_result()
    return Priced(result, result.answer, units)


def kept(call_id: str = CALL_ID, status: int = 200) -> KeptAnswer:
    settlement = Settlement(call_id, "account-1", "app-1", "general", 1, 1, 0, 0, 1000, 1, "", REQUEST_ID)
    return KeptAnswer(settlement, status, b"{}")


def settled(previous: Admitted | Priced | None = None, call_id: str = CALL_ID) -> Settled:
    return Settled(Answered(previous or priced(), kept(call_id)))
