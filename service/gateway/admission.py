"""Authorisation of a call: signature, app, route, addresses, opened capability (order: CONTRACT section 3)."""

from __future__ import annotations

from datetime import UTC, datetime

from inkgate.service.accounts.directory import AccessKey, Directory
from inkgate.service.client_ip import in_networks
from inkgate.service.contract.routes import resolve
from inkgate.service.eop.header import Authorization, parse
from inkgate.service.eop.signature import in_window, verify
from inkgate.service.errors import Refused
from inkgate.service.gateway.exchange import Exchange
from inkgate.service.gateway.phases import Admitted, Authenticated, Identified, Received, Routed
from inkgate.service.gateway.progress import Progress


class CallAuthoriser:
    """Checks a call after its body was received and before quota and rate. `clock_window` is in seconds."""

    def __init__(self, directory: Directory, clock_window: int) -> None:
        self._directory, self._window = directory, clock_window

    async def admit(self, received: Received, progress: Progress) -> Admitted:
        """Run all checks in their order.

        Raises Refused, or RequestFault for a wrong path or method of a known service.
        """
        authenticated = progress.advance(await self.authenticate(received))
        identified = progress.advance(await self.identify(authenticated))
        routed = progress.advance(self.route(identified))
        return progress.advance(self.permit(routed))

    async def find_access_key(self, exchange: Exchange) -> tuple[Authorization, AccessKey]:
        """The access key named by the headers, without a signature check. Raises Refused 10020 or 10002."""
        if exchange.repeated:
            raise Refused(10020, f"repeated header {exchange.repeated[0]}")
        authorization = parse(exchange.headers.get("eop-authorization", ""))
        if authorization is None:
            raise Refused(10020, "no Eop-Authorization of the documented form")
        key = await self._directory.access_key(authorization.ak)
        if key is None:
            raise Refused(10002, "unknown or disabled access key")
        return authorization, key

    async def claimed_app(self, exchange: Exchange) -> str:
        """The AppKey that the headers claim, without a signature check; the access key if its account has no such app.

        Raises Refused 10020 or 10002, as `find_access_key` does.
        """
        _, key = await self.find_access_key(exchange)
        appkey = exchange.headers.get("appkey", "")
        app = await self._directory.app(appkey) if appkey else None
        return key.ak if app is None or app.account_id != key.account_id else app.appkey

    async def authenticate(self, received: Received) -> Authenticated:
        """Check signature and date. Raises Refused 10002 or 10020."""
        exchange = received.exchange
        authorization, key = await self.find_access_key(exchange)
        if not verify(authorization, key.secret, exchange.headers, exchange.query, exchange.body_hash):
            raise Refused(10020, "signature does not fit")
        if not in_window(exchange.headers["eop-date"], datetime.now(UTC), self._window):
            raise Refused(10020, "eop-date malformed or too far off")
        return Authenticated(received, key)

    async def identify(self, authenticated: Authenticated) -> Identified:
        """Find the app. Raises Refused 40002 without an AppKey, 40006 if it does not belong to the key's account."""
        received = authenticated.received
        appkey = received.exchange.headers.get("appkey", "")
        if not appkey:
            raise Refused(40002)
        app = await self._directory.app(appkey)
        if app is None or app.account_id != authenticated.key.account_id:
            raise Refused(40006)
        return Identified(received, app)

    def route(self, identified: Identified) -> Routed:
        """Find the capability. Raises RequestFault or Refused 50001, 50003, 40008 as `contract.routes.resolve` does."""
        exchange = identified.received.exchange
        return Routed(identified, resolve(exchange.path, exchange.method))

    def permit(self, routed: Routed) -> Admitted:
        """Check addresses and opened capabilities.

        Raises Refused 40009 or 40010 for the client's address, 50002 for a capability that is not opened.
        """
        app, ip = routed.app, routed.received.exchange.client_ip
        if app.allowed and not in_networks(ip, app.allowed):
            raise Refused(40009, ip)
        opened = app.opened.get(routed.capability.name)
        if opened is None:
            raise Refused(50002)
        if opened.allowed and not in_networks(ip, opened.allowed):
            raise Refused(40010, ip)
        return Admitted(routed)
