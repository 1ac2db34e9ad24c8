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
from inkgate.service.audit import trail
from inkgate.service.db import work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Permission
from inkgate.service.permissions.routes import ADMIN
from inkgate.service.settings import Settings
from inkgate.service.users.attempts import Attempts

REFUSALS_RECORDED = 50  # per token and window of attempts; the trail is not for filling
_bearer = HTTPBearer(auto_error=False, description="A token made with `inkgate admin token-create`.")


@dataclass(frozen=True, slots=True)
class AdminContext:
    """The context of the admin API: engine, vault, settings, clock."""

    engine: AsyncEngine
    vault: Vault
    settings: Settings
    clock: Clock = database_clock
    verification_lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one verification of the ledger at a time
    refusals: Attempts = field(default_factory=lambda: Attempts(per_key=REFUSALS_RECORDED, total=0))


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """An authorised request: the context, the actor, and all permissions of its token."""

    context: AdminContext
    actor: str
    permissions: frozenset[Permission] = frozenset()

    async def require(self, permission: Permission, scope: str) -> None:
        """Raise Misuse, and record it, unless the token has this permission, part of `scope`, as well."""
        if permission not in self.permissions:
            await refuse(self, permission)
            raise Misuse("token.scope_missing", scope=scope)

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work with the token as its actor."""
        return work.unit_of_work(self.context.engine, self.actor, self.context.clock)

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A read-only session."""
        return work.read_session(self.context.engine)


async def refuse(admin_request: AdminRequest, permission: Permission) -> None:
    """Write a refused permission to the audit trail, unless this token has had many within the window."""
    if admin_request.context.refusals.register(admin_request.actor):
        return
    async with admin_request.begin() as unit:
        await trail.record(unit, "permission.refuse", permission.value, None, result="refused")


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
        if found is None:
            raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})
        admin_request = AdminRequest(context, f"admin:{found.name}", found.permissions)
        permission = ADMIN.get((request.method, request.scope["route"].path))
        if permission is None or permission not in found.permissions:
            await refuse(admin_request, permission or Permission.HOST)
            raise Misuse("token.scope_missing", scope=self._scope)
        if context.settings.access.separate_duties and has_several_duties(found.permissions):
            await refuse(admin_request, permission)
            raise Misuse("token.duties_mixed")
        yield admin_request


def require_scope(scope: str) -> Any:
    """`Depends` that requires a token with this scope."""
    return Depends(RequireScope(scope))


AccountsRead = Annotated[AdminRequest, require_scope("accounts:read")]
AccountsWrite = Annotated[AdminRequest, require_scope("accounts:write")]
OrdersRead = Annotated[AdminRequest, require_scope("orders:read")]
OrdersWrite = Annotated[AdminRequest, require_scope("orders:write")]
UsageRead = Annotated[AdminRequest, require_scope("usage:read")]
AuditRead = Annotated[AdminRequest, require_scope("audit:read")]
