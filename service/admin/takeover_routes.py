"""The routes of the takeover over HTTP: where the calls of apps are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from inkgate.service.admin.access import AccountsRead, AccountsWrite
from inkgate.service.admin.fields import Id, Offset, Percent, ShortText
from inkgate.service.admin.schemas import AdminModel
from inkgate.service.errors import Misuse
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode, Override

router = APIRouter(tags=["takeover"])
MaxRoutes = Annotated[int, Query(ge=1, le=routes.MAX_ROUTES)]


class TakeoverRoute(AdminModel):
    """A route of a live app."""

    app_id: str
    app_name: str
    appkey: str
    account_id: str
    account_name: str
    capability: str
    mode: Mode = Field(description="mirror: the cloud answers, a copy is read here; split: a share here; local: here.")
    percent: int = Field(description="The share answered here.")
    changed_at: datetime


class TakeoverRoutes(AdminModel):
    """All routes and the switch above them."""

    enabled: bool = Field(description="Whether INKGATE_TAKEOVER__URL is set for this process.")
    override: Override = Field(description='"" or the side that answers all calls of apps with a route.')
    version: int
    routes: list[TakeoverRoute]


class NewRoute(AdminModel):
    mode: Mode
    percent: Percent | None = Field(None, description="Of a split: the share answered here.")


class NewOverride(AdminModel):
    override: Override = Field(description='"local", "cloud", or "" to follow the routes again.')


@router.get("/takeover/routes")
async def list_routes(
    admin_request: AccountsRead, limit: MaxRoutes = routes.MAX_ROUTES, offset: Offset = 0
) -> TakeoverRoutes:
    """Where calls are answered. Apps and capabilities that are not listed are answered here."""
    enabled = admin_request.context.settings.takeover.enabled
    async with admin_request.reading() as session:
        return TakeoverRoutes.model_validate(
            await routes.overview(session, enabled=enabled, limit=limit, offset=offset)
        )


@router.put("/apps/{app_id}/routes/{capability}", status_code=204)
async def set_route(admin_request: AccountsWrite, app_id: Id, capability: ShortText, body: NewRoute) -> None:
    """Every gateway follows within seconds."""
    enabled = admin_request.context.settings.takeover.enabled
    async with admin_request.begin() as work:
        await routes.set_route(work, app_id, capability, body.mode, percent=body.percent, enabled=enabled)


@router.delete("/apps/{app_id}/routes/{capability}", status_code=204)
async def remove_route(admin_request: AccountsWrite, app_id: Id, capability: ShortText) -> None:
    """The app's calls are answered here, whatever the override says."""
    async with admin_request.begin() as work:
        await routes.remove_route(work, app_id, capability)


@router.put("/takeover/override", status_code=204)
async def set_override(admin_request: AccountsWrite, body: NewOverride) -> None:
    """The switch for emergencies: one side answers all calls of apps with a route. The routes themselves stay."""
    if body.override is Override.CLOUD and not admin_request.context.settings.takeover.enabled:
        raise Misuse("takeover.disabled")
    async with admin_request.begin() as work:
        await routes.set_override(work, body.override)
