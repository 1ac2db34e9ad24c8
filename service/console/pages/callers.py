"""Sources of calls (manual 4.3): by network, and by province if the operator supplies a table of networks."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.page_request import Customer
from inkgate.service.console.pages.overview import networks
from inkgate.service.console.regions import (
    PRIVATE,
    PROVINCES,
    RegionTable,
    Tile,
    in_language,
    region_without_table,
    tiles,
)
from inkgate.service.console.render import render
from inkgate.service.console.scope import VisibleAccounts, scope_of, span_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Callers:
    """Calls by source, most calls first; the region "" is unknown. `tiles` is empty when no call has a province, and
    `has_table` says whether the operator supplied a table of networks."""

    whole: int
    networks: list[tuple[str, int]]
    regions: list[tuple[str, int]]
    tiles: list[Tile]
    has_table: bool


async def view(unit: UnitOfWork, scope: VisibleAccounts, days: str, table: RegionTable | None) -> Callers:
    """The latest calls of a span by network and region. Without a table only private networks have a region."""
    part = scope.usage_scope(span_of(days, await unit.now()))
    found = await usage.callers(unit.session, part)
    region_of = table.region if table is not None else region_without_table
    by_region: dict[str, int] = {}
    for address, calls in found:
        region = region_of(address)
        by_region[region] = by_region.get(region, 0) + calls
    regions = sorted(by_region.items(), key=lambda each: -each[1])
    drawn = list(tiles(by_region)) if any(each.name in by_region for each in PROVINCES) else []
    return Callers(sum(by_region.values()), networks(found), regions, drawn, table is not None)


@router.get("/callers")
async def fragment(page_request: Customer, days: str = "7") -> Response:
    """Fragment of the overview, loaded separately because it reads single calls instead of totals."""
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, page_request.account), days, page_request.parts.regions)
    language = page_request.translate.language
    return render(
        page_request,
        "callers.html",
        model=model,
        private=PRIVATE,
        region_name=lambda region: in_language(region, language),
    )
