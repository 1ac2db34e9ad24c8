"""Who may call what: signature, app, route, addresses, opened capability (CONTRACT section 3, order of checks)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from inkgate.service.accounts.directory import AccessKey, App, Directory
from inkgate.service.client_ip import within
from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.routes import resolve
from inkgate.service.eop.header import Authorization, parse
from inkgate.service.eop.signature import in_window, verify
from inkgate.service.errors import Refused, RequestFault
from inkgate.service.gateway.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Caller:
    """A call that may enter: the app that makes it and the capability it asks for."""

    app: App
    capability: Capability

    @property
    def qps(self) -> float:
        return self.app.opened[self.capability.name].qps


@dataclass(slots=True)
class Known:
    """What has been told of a caller so far, "" for what has not: a refused call counts by it."""

    account_id: str = ""
    app_id: str = ""
    capability: str = ""


class Admission:
    """The checks between the last byte of the body and the packs."""

    def __init__(self, directory: Directory, clock_window: int) -> None:
        self._directory, self._window = directory, clock_window

    async def admit(self, exchange: Exchange, known: Known) -> Caller:
        """Fills `known` as far as it gets. Raises Refused, or RequestFault for a wrong path or method that the
        capability's own table names."""
        key = await self._authenticate(exchange)
        known.account_id = key.account_id
        app = await self._identify(exchange, key)
        known.app_id = app.app_id
        try:
            capability = resolve(exchange.path, exchange.method)
        except RequestFault as fault:
            known.capability = fault.capability
            raise
        known.capability = capability.name
        self._permit(exchange.client_ip, app, capability)
        return Caller(app, capability)

    async def known(self, exchange: Exchange) -> tuple[Authorization, AccessKey]:
        """Who claims to call, by the headers alone; needs no body. Raises Refused 10020 or 10002."""
        if exchange.repeated:
            raise Refused(10020, f"repeated header {exchange.repeated[0]}")
        authorization = parse(exchange.headers.get("eop-authorization", ""))
        if authorization is None:
            raise Refused(10020, "no Eop-Authorization of the documented form")
        key = await self._directory.access_key(authorization.ak)
        if key is None:
            raise Refused(10002, "unknown or disabled access key")
        return authorization, key

    async def claimed(self, exchange: Exchange) -> str:
        """The AppKey in whose name a body is sent, unproven; the access key where the account has no such app.

        Raises Refused 10020 or 10002, as `known` does.
        """
        _, key = await self.known(exchange)
        appkey = exchange.headers.get("appkey", "")
        app = await self._directory.app(appkey) if appkey else None
        return key.ak if app is None or app.account_id != key.account_id else app.appkey

    async def _authenticate(self, exchange: Exchange) -> AccessKey:
        authorization, key = await self.known(exchange)
        if not verify(authorization, key.secret, exchange.headers, exchange.query, exchange.body_hash):
            raise Refused(10020, "signature does not fit")
        if not in_window(exchange.headers["eop-date"], datetime.now(UTC), self._window):
            raise Refused(10020, "eop-date malformed or too far off")
        return key

    async def _identify(self, exchange: Exchange, key: AccessKey) -> App:
        appkey = exchange.headers.get("appkey", "")
        if not appkey:
            raise Refused(40002)
        app = await self._directory.app(appkey)
        if app is None or app.account_id != key.account_id:
            raise Refused(40006)
        return app

    def _permit(self, ip: str, app: App, capability: Capability) -> None:
        if app.allowed and not within(ip, app.allowed):
            raise Refused(40009, ip)
        opened = app.opened.get(capability.name)
        if opened is None:
            raise Refused(50002)
        if opened.allowed and not within(ip, opened.allowed):
            raise Refused(40010, ip)
