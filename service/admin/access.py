"""Authentication of admin requests: token, scope, unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.accounts.vault import Vault
from inkgate.service.admin.tokens import bearer, has_several_duties
from inkgate.service.audit import looks, trail
from inkgate.service.client_ip import client_ip, parse_networks
from inkgate.service.db import ids, work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.work import SYSTEM, Origin, UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Permission
from inkgate.service.permissions.routes import ADMIN
from inkgate.service.settings import Settings

AUDIT_SCOPE = "audit:read"  # reading the trail is no look at a customer's data; its exports are recorded
_bearer = HTTPBearer(auto_error=False, description="A token made with `inkgate admin token-create`.")


@dataclass(frozen=True, slots=True)
class AdminContext:
    """The context of the admin API: engine, vault, settings, clock."""

    engine: AsyncEngine
    vault: Vault
    settings: Settings
    clock: Clock = database_clock
    verification_lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one verification of the ledger at a time


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """An authorised request: the context, the actor, and all permissions of its token."""

    context: AdminContext
    actor: str
    permissions: frozenset[Permission] = frozenset()
    origin: Origin = SYSTEM
    where: str = ""  # method and route, without the values in its path

    async def require(self, permission: Permission, scope: str) -> None:
        """Raise Misuse, and record it, unless the token has this permission, part of `scope`, as well."""
        if permission not in self.permissions:
            await self.refuse(permission=permission)
            raise Misuse("token.scope_missing", scope=scope)

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work with the token as its actor."""
        return work.unit_of_work(self.context.engine, self.actor, self.context.clock, self.origin)

    async def refuse(self, *, permission: Permission | None = None, reason: str = "") -> None:
        """Record a refused request: the permission that it lacks, or another reason."""
        async with self.begin() as unit:
            detail: dict[str, Any] = {"permission": permission.value} if permission else {"reason": reason}
            await trail.record(unit, "access.refuse", self.where, None, result="refused", **detail)

    async def record_look(self, request: Request) -> None:
        """Record that data of customers are read, once in a while."""
        values = {**request.query_params, **request.path_params}
        account_id = values.get("account_id", "")
        known = account_id if ids.is_canonical_uuid(account_id) else None
        look = looks.Look(self.actor, self.origin, "admin.view", self.where, known)
        await looks.record(self.context.engine, self.context.clock, look)

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A read-only session."""
        return work.read_session(self.context.engine)


class RequireScope:
    """FastAPI dependency that yields an AdminRequest if the token has the permission that the table names for the
    route: 401 without a valid token, 403 without the permission. `scope` is the scope that has it."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> AsyncIterator[AdminRequest]:
        context: AdminContext = request.app.state.context
        found = None
        if credentials is not None:
            async with work.read_session(context.engine) as session:
                found = await bearer(session, credentials.credentials)
        origin, where = _origin(context, request), f"{request.method} {request.scope['route'].path}"
        if found is None:
            await AdminRequest(context, "anonymous", origin=origin, where=where).refuse(reason="no valid token")
            raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})
        admin_request = AdminRequest(context, f"admin:{found.name}", found.permissions, origin, where)
        permission = ADMIN.get((request.method, request.scope["route"].path))
        if permission is None or permission not in found.permissions:
            await admin_request.refuse(permission=permission or Permission.HOST)
            raise Misuse("token.scope_missing", scope=self._scope)
        if context.settings.access.separate_duties and has_several_duties(found.permissions):
            await admin_request.refuse(reason="several duties")
            raise Misuse("token.duties_mixed")
        if request.method == "GET" and self._scope != AUDIT_SCOPE:
            await admin_request.record_look(request)
        yield admin_request


def _origin(context: AdminContext, request: Request) -> Origin:
    """Where a request came from, behind the trusted proxies."""
    peer = request.client.host if request.client is not None else ""
    trusted = parse_networks(context.settings.server.trusted_proxies)
    return Origin("admin", client_ip(peer, request.headers.get("x-forwarded-for", ""), trusted) or None)


def require_scope(scope: str) -> Any:
    """`Depends` that requires a token with this scope."""
    return Depends(RequireScope(scope))


AccountsRead = Annotated[AdminRequest, require_scope("accounts:read")]
AccountsWrite = Annotated[AdminRequest, require_scope("accounts:write")]
OrdersRead = Annotated[AdminRequest, require_scope("orders:read")]
OrdersWrite = Annotated[AdminRequest, require_scope("orders:write")]
UsageRead = Annotated[AdminRequest, require_scope("usage:read")]
AuditRead = Annotated[AdminRequest, require_scope(AUDIT_SCOPE)]
