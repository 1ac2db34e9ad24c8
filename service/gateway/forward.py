"""Decides which calls the cloud answers, and sends them on (docs/adr/0055-takeover-routes.md)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from inkgate.service.eop.header import parse
from inkgate.service.errors import (
    Overloaded,
    UpstreamFailed,
    UpstreamTimedOut,
    WireError,
)
from inkgate.service.gateway.exchange import Exchange
from inkgate.service.gateway.phases import Admitted, Forwarded
from inkgate.service.takeover.codes import answer_code
from inkgate.service.takeover.routes import Mode, Route
from inkgate.service.takeover.upstream import UpstreamAnswer, UpstreamRequest
from inkgate.service.telemetry.metrics import Metrics

_PROXY_HEADERS = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-real-ip", b"forwarded"}
)
"""What a trusted proxy before the gateway adds: addresses of this network, which are not the client's words."""


class Routes(Protocol):
    def find(self, app_id: str, capability: str) -> Route | None:
        """The route of an app's calls to a capability, from memory."""


class Cloud(Protocol):
    async def send(self, request: UpstreamRequest) -> UpstreamAnswer:
        """See inkgate.service.takeover.upstream.Upstream."""


class Plan(Enum):
    """Where a call is answered."""

    HERE = auto()
    HERE_OR_CLOUD = auto()  # by the cloud if this service is overloaded
    SPLIT = auto()  # by the cloud
    MIRROR = auto()  # by the cloud, and read here as well


class Forwarder:
    """Sends calls on. One per gateway process; `fallback` as in the settings."""

    def __init__(self, routes: Routes, cloud: Cloud, metrics: Metrics, *, fallback: bool) -> None:
        self._routes, self._cloud, self._metrics, self._fallback = routes, cloud, metrics, fallback

    def plan(self, admitted: Admitted) -> Plan:
        """Where this call is answered: the same for every repeat of it while its route stays."""
        route = self._routes.find(admitted.app.app_id, admitted.capability.name)
        if route is None:
            return Plan.HERE
        if route.mode is Mode.MIRROR:
            return Plan.MIRROR
        if route.mode is Mode.SPLIT and not route.is_local(admitted.replay_key):
            return Plan.SPLIT
        return Plan.HERE_OR_CLOUD if self._fallback and route.fallback else Plan.HERE

    async def forward(self, admitted: Admitted, route: str) -> Forwarded:
        """Send a call on and await the whole answer.

        Raises UpstreamFailed, UpstreamTimedOut, Overloaded, and ClientDisconnected when the client disconnects first,
        which also ends the call to the cloud.
        """
        outcome = "cancelled"
        begin = admitted.stopwatch.elapsed()
        try:
            exchange = admitted.exchange
            sending = self._cloud.send(upstream_request(exchange))
            answer = await exchange.await_or_disconnect(sending, "the cloud was asked")
            outcome = "answered"
        except WireError as error:
            outcome = _outcome(error)
            raise
        finally:
            seconds = admitted.stopwatch.elapsed() - begin
            self._metrics.forwarded(admitted.capability.name, route, outcome, seconds)
        return Forwarded(admitted, answer, answer_code(answer.body), route)


def upstream_request(exchange: Exchange) -> UpstreamRequest:
    """The request as the client made it. Of a request that came through a trusted proxy, the proxy's own headers are
    left out, unless the client signed them."""
    head = exchange.head
    headers = head.headers
    if exchange.peer != exchange.client_ip:
        authorization = parse(exchange.headers.get("eop-authorization", ""))
        signed = {name.encode("latin-1") for name in authorization.signed} if authorization else set()
        headers = [line for line in headers if line[0].lower() not in _PROXY_HEADERS - signed]
    return UpstreamRequest(exchange.method.encode(), head.target, headers, exchange.body)


def _outcome(error: WireError) -> str:
    match error:
        case UpstreamTimedOut():
            return "timed_out"
        case UpstreamFailed():
            return "failed"
        case Overloaded():
            return "overloaded"
    return "cancelled"
