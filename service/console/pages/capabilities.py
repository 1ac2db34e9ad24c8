"""能力列表 and 使用详情 (manual 2.2, 7.1): capabilities, state of the packs, usage by app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.page_request import Customer, NotFound
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import render
from inkgate.service.console.scope import Family, VisibleAccounts, app_names, scope_of
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.pack_totals import Totals, listed_packs, pack_totals
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import pack_state
from inkgate.service.usage import repository as usage
from inkgate.service.usage.rollup import DAY, day_of

router = APIRouter()
YEAR = timedelta(days=366)
PER_PAGE = 20
USED = ("calls", "units")
BEST_FIRST = ("valid", "pending", "exhausted", "expired")


@dataclass(frozen=True, slots=True)
class Row:
    """One capability. `state`: free 限时免费, none 待购买, or the state of its best pack (see `pack_state`). `path` is
    that of its calls; `apps` have opened it."""

    name: str
    free: bool
    state: str
    used: int
    total: int
    apps: int
    path: str


@dataclass(frozen=True, slots=True)
class PackLine:
    """One pack with its state, its order number ("" for a granted pack) and the app it is bound to ("" for all)."""

    pack: PackRow
    state: str
    order: str
    app: str

    @property
    def left(self) -> int:
        return self.pack.total - self.pack.used


@dataclass(frozen=True, slots=True)
class Detail:
    """A capability with a page of its packs, and a page of (app, units) within a year, most units first."""

    row: Row
    packs: Page[PackLine]
    apps: Page[tuple[str, int]]


def capability_state(name: str, totals: Totals) -> str:
    """The state of a capability: the state of its best pack."""
    return next((state for state in BEST_FIRST if (name, state) in totals), "none")


async def view(unit: UnitOfWork, scope: VisibleAccounts) -> list[Row]:
    """Every capability."""
    totals = await pack_totals(unit.session, scope.main_id, await unit.checked_now())
    opened = await repository.opened_counts(unit.session, scope.account_ids)
    return [_row(name, totals, opened.get(name, 0)) for name in CAPABILITIES]


def _row(name: str, totals: Totals, apps: int) -> Row:
    free, valid = name in FREE_CAPABILITIES, totals.get((name, "valid"))
    state = "free" if free else capability_state(name, totals)
    used, total = (valid.used, valid.total) if valid else (0, 0)
    return Row(name, free, state, used, total, apps, CAPABILITIES[name].paths[0])


async def detail(
    unit: UnitOfWork, scope: VisibleAccounts, capability: str, packs_page: int = 1, apps_page: int = 1
) -> Detail:
    """使用详情 of one capability: its packs in the order of deduction, and units by app within a year."""
    now = await unit.checked_now()
    totals = await pack_totals(unit.session, scope.main_id, now)
    opened = await repository.opened_counts(unit.session, scope.account_ids)
    packs = await pack_lines(unit, scope.main_id, scope.family, now, packs_page, capability)
    year = usage.Scope(day_of(now - YEAR), day_of(now) + DAY, scope.main_id, None, capability, scope.sub_id)
    used = sorted(await usage.totals(unit.session, year, ["app"], only=USED), key=lambda row: -row.units)
    shown = Paging.of(apps_page, PER_PAGE, "apps").page_of_all([row for row in used if row.calls])
    named = await app_names(unit, [row.key[0] for row in shown.rows], scope.family)
    apps = shown.of([(named(row.key[0]), row.units) for row in shown.rows])
    return Detail(_row(capability, totals, opened.get(capability, 0)), packs, apps)


async def pack_lines(
    unit: UnitOfWork,
    main_id: str,
    family: Family,
    now: datetime | None,
    page: int,
    capability: str | None = None,
) -> Page[PackLine]:
    """A page of the packs of a main account, used up and refunded ones last; apps of the family have their
    names. Without a time (`now` None) the state of a pack is "unknown" if it depends on the time."""
    paging = Paging.of(page, PER_PAGE, "packs")
    found = await listed_packs(unit.session, main_id, capability, limit=paging.limit, offset=paging.offset)
    shown = paging.page(found)
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in shown.rows if each.order_id])
    named = await app_names(unit, [each.app_id for each in shown.rows if each.app_id], family)
    return shown.of(
        [
            PackLine(each, _state(each, now), numbers.get(each.order_id or "", ""), named(each.app_id or ""))
            for each in shown.rows
        ]
    )


def _state(pack: PackRow, now: datetime | None) -> str:
    if now is not None:
        return pack_state(pack, now)
    state = pack_state(pack, pack.starts_at)
    return "unknown" if state == "valid" else state


@router.get("/capabilities")
async def page(page_request: Customer) -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        rows = await view(unit, await scope_of(unit, page_request.account))
    return render(page_request, "capabilities.html", rows=rows)


@router.get("/capabilities/{name}")
async def detail_page(page_request: Customer, name: str, packs: int = 1, apps: int = 1) -> Response:
    assert page_request.account is not None
    if name not in CAPABILITIES:
        raise NotFound
    async with page_request.reading() as unit:
        model = await detail(unit, await scope_of(unit, page_request.account), name, packs, apps)
    return render(page_request, "capability.html", model=model)
