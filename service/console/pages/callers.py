"""Sources of calls (manual 4.3): by network, and by province if the operator supplies a table of networks."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.page_request import Customer
from inkgate.service.console.pages.overview import networks
from inkgate.service.console.regions import RegionTable, Tile, tiles
from inkgate.service.console.render import render
from inkgate.service.console.scope import VisibleAccounts, scope_of, span_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Callers:
    """Calls by source, most calls first. `regions` is None without a table; "" is an unknown region."""

    whole: int
    networks: list[tuple[str, int]]
    regions: list[tuple[str, int]] | None
    tiles: list[Tile]


async def view(unit: UnitOfWork, scope: VisibleAccounts, days: str, table: RegionTable | None) -> Callers:
    """The latest calls of a span by network and region."""
    part = scope.usage_scope(span_of(days, await unit.now()))
    found = await usage.callers(unit.session, part)
    whole = sum(calls for _, calls in found)
    if table is None or not whole:
        return Callers(whole, networks(found), None, [])
    by_region: dict[str, int] = {}
    for address, calls in found:
        region = table.region(address)
        by_region[region] = by_region.get(region, 0) + calls
    regions = sorted(by_region.items(), key=lambda each: -each[1])
    return Callers(whole, networks(found), regions, list(tiles(by_region)))


@router.get("/callers")
async def fragment(page_request: Customer, days: str = "7") -> Response:
    """Fragment of the overview, loaded separately because it reads single calls instead of totals."""
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, page_request.account), days, page_request.parts.regions)
    return render(page_request, "callers.html", model=model)
