"""The operator's JSON API: accounts, apps, packs, orders, refunds, usage, audit; for mounting at /admin/v1."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from service import __version__
from service.accounts.vault import Vault
from service.admin import accounts, billing, reports
from service.admin.access import House
from service.errors import Misuse
from service.settings import Settings

PATH = "/admin/v1"


def create_admin(engine: AsyncEngine, vault: Vault, settings: Settings) -> FastAPI:
    """The application. Its description is at /openapi.json below where it is mounted; it needs no token."""
    app = FastAPI(title="InkGate admin API", version=__version__, docs_url=None, redoc_url=None)
    app.state.house = House(engine, vault, settings)
    for router in (accounts.router, billing.router, reports.router):
        app.include_router(router)
    app.add_exception_handler(Misuse, _misuse)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(OSError, _database)
    return app


async def _misuse(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


async def _database(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"detail": "the database cannot be used now"}, 503, {"Retry-After": "2"})
