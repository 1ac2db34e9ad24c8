"""What every admin request goes through: the token, its scope, and a unit of work in its name."""

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
from inkgate.service.admin.tokens import bearer
from inkgate.service.db import work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.settings import Settings

_bearer = HTTPBearer(auto_error=False, description="A token made with `inkgate admin token-create`.")


@dataclass(frozen=True, slots=True)
class House:
    """What the admin API works on."""

    engine: AsyncEngine
    vault: Vault
    settings: Settings
    clock: Clock = database_clock
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)  # one proof of the ledger at a time


@dataclass(frozen=True, slots=True)
class Desk:
    """A request that may do what it asks: the house, and who is acting."""

    house: House
    actor: str

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work in the token's name."""
        return work.unit_of_work(self.house.engine, self.actor, self.house.clock)

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that only reads."""
        return work.read_session(self.house.engine)


class Allowed:
    """A dependency that asks for a scope and gives a Desk. 401 without a good token, 403 without the scope."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> AsyncIterator[Desk]:
        house: House = request.app.state.house
        found = None
        if credentials is not None:
            async with work.read_session(house.engine) as session:
                found = await bearer(session, credentials.credentials)
        if found is None:
            raise HTTPException(401, "a valid token is needed", {"WWW-Authenticate": "Bearer"})
        if self._scope not in found.scopes:
            raise Misuse("token.scope_missing", scope=self._scope)
        yield Desk(house, f"admin:{found.name}")


def allowed(scope: str) -> Any:
    """`Depends` on a token with this scope."""
    return Depends(Allowed(scope))


AccountsRead = Annotated[Desk, allowed("accounts:read")]
AccountsWrite = Annotated[Desk, allowed("accounts:write")]
OrdersRead = Annotated[Desk, allowed("orders:read")]
OrdersWrite = Annotated[Desk, allowed("orders:write")]
UsageRead = Annotated[Desk, allowed("usage:read")]
AuditRead = Annotated[Desk, allowed("audit:read")]
