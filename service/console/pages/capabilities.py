"""能力列表 and 使用详情 (manual 2.2, 7.1): capabilities, state of the packs, usage by app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.page_request import Customer, NotFound
from inkgate.service.console.render import render
from inkgate.service.console.scope import VisibleAccounts, scope_of
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import pack_state, packs_of
from inkgate.service.usage import repository as usage
from inkgate.service.usage.rollup import DAY, day_of

router = APIRouter()
YEAR = timedelta(days=366)


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
    row: Row
    packs: list[PackLine]
    apps: list[tuple[str, int]]


def capability_state(packs: list[PackRow], now: datetime) -> str:
    """The state of a capability: the state of its best pack."""
    states = {pack_state(each, now) for each in packs}
    for state in ("valid", "pending", "exhausted", "expired"):
        if state in states:
            return state
    return "none"


async def view(unit: UnitOfWork, scope: VisibleAccounts) -> list[Row]:
    """Every capability."""
    now = await unit.checked_now()
    packs = await packs_of(unit.session, scope.main_id)
    opened = await repository.opened_counts(unit.session, scope.account_ids)
    return [
        _row(name, [each for each in packs if each.capability == name], opened.get(name, 0), now)
        for name in CAPABILITIES
    ]


def _row(name: str, packs: list[PackRow], apps: int, now: datetime) -> Row:
    free = name in FREE_CAPABILITIES
    valid = [each for each in packs if pack_state(each, now) == "valid"]
    return Row(
        name,
        free,
        "free" if free else capability_state(packs, now),
        sum(each.used for each in valid),
        sum(each.total for each in valid),
        apps,
        CAPABILITIES[name].paths[0],
    )


async def detail(unit: UnitOfWork, scope: VisibleAccounts, capability: str) -> Detail:
    """使用详情 of one capability: its packs in the order of deduction, and units by app within a year."""
    now = await unit.checked_now()
    packs = await packs_of(unit.session, scope.main_id, capability)
    opened = await repository.opened_counts(unit.session, scope.account_ids)
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in packs if each.order_id])
    lines = [
        PackLine(
            each,
            pack_state(each, now),
            numbers.get(each.order_id or "", ""),
            scope.name(each.app_id) if each.app_id else "",
        )
        for each in packs
    ]
    year = usage.Scope(day_of(now - YEAR), day_of(now) + DAY, scope.main_id, None, capability, scope.sub_id)
    used = await usage.totals(unit.session, year, ["app"])
    visible = sorted(((scope.name(row.key[0]), row.units) for row in used if row.calls), key=lambda each: -each[1])
    return Detail(_row(capability, packs, opened.get(capability, 0), now), lines, visible)


@router.get("/capabilities")
async def page(page_request: Customer) -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        rows = await view(unit, await scope_of(unit, page_request.account))
    return render(page_request, "capabilities.html", rows=rows)


@router.get("/capabilities/{name}")
async def detail_page(page_request: Customer, name: str) -> Response:
    assert page_request.account is not None
    if name not in CAPABILITIES:
        raise NotFound
    async with page_request.reading() as unit:
        model = await detail(unit, await scope_of(unit, page_request.account), name)
    return render(page_request, "capability.html", model=model)
