"""Where calls come from (manual 4.3): by province when the operator supplies a table of networks, and by network."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.pages.overview import networks
from inkgate.service.console.regions import RegionTable, Tile, tiles
from inkgate.service.console.render import render
from inkgate.service.console.scope import Scope, scope_of, span_of
from inkgate.service.console.visit import Customer
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Callers:
    """Calls by source. `regions` are None without a table; "" is what the table does not know. Most calls first."""

    whole: int
    networks: list[tuple[str, int]]
    regions: list[tuple[str, int]] | None
    tiles: list[Tile]


async def view(unit: UnitOfWork, scope: Scope, days: str, table: RegionTable | None) -> Callers:
    """The latest calls of a span, by network and by region."""
    part = scope.part(span_of(days, await unit.now()))
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
async def fragment(visit: Customer, days: str = "7") -> Response:
    """A part of the overview that comes after the rest: it reads single calls, not sums."""
    assert visit.account is not None
    async with visit.reading() as unit:
        model = await view(unit, await scope_of(unit, visit.account), days, visit.parts.regions)
    return render(visit, "callers.html", model=model)
