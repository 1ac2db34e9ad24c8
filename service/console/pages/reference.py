"""API 文档 inside the console: the caller's endpoint filled in, the steps of signing, the searchable code table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from service.console.codes import codes, search
from service.console.render import render
from service.console.visit import Visit, settled_in
from service.contract.capabilities import CAPABILITIES

router = APIRouter()


def endpoint(visit: Visit) -> str:
    """The gateway's address as this customer sees it."""
    given = visit.parts.settings.console.endpoint
    if given:
        return given.rstrip("/")
    url = visit.request.url
    scheme = visit.request.headers.get("x-forwarded-proto", url.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{url.netloc}"


@router.get("/reference")
async def page(visit: Annotated[Visit, Depends(settled_in)], q: str = "") -> Response:
    found = search(q[:40]) if q.strip() else list(codes())
    return render(visit, "reference.html", rows=found, q=q[:40], capabilities=CAPABILITIES, endpoint=endpoint(visit))
