"""账单: charges of a month and usage by sub-account (manual 9.1: the main account pays for all)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.downloads import csv_stream
from inkgate.service.console.page_request import Customer, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import render, title
from inkgate.service.console.repository import Charge
from inkgate.service.console.scope import VisibleAccounts, scope_of
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import Scope as Hours

router = APIRouter()
MONTHS = 13
PER_PAGE = 50
USED = ("calls", "images", "units")


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """Usage of one capability by one account. `units` were deducted from packs."""

    account: str
    capability: str
    calls: int
    images: int
    units: int


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of a month: sums, a page of the usage and one of the charges, oldest first. `charges` is None for a
    sub-account, which pays nothing itself; `paid` in fen."""

    month: str
    months: list[str]
    charges: Page[Charge] | None
    uses: Page[AccountUsage]
    paid: int
    calls: int
    units: int


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the console's time zone; `months` are those that there are, latest first."""

    since: datetime
    until: datetime
    months: list[str]

    @property
    def name(self) -> str:
        return f"{self.since:%Y-%m}"


async def month_of(unit: UnitOfWork, text: str) -> Month:
    """A month as in an address ("2026-03"); the current one for any other text."""
    now = (await unit.now()).astimezone(BEIJING)
    months = [_month(now, back) for back in range(MONTHS)]
    since = next((each for each in months if f"{each:%Y-%m}" == text), months[0])
    until = since.replace(year=since.year + since.month // 12, month=since.month % 12 + 1)
    return Month(since, until, [f"{each:%Y-%m}" for each in months])


async def view(unit: UnitOfWork, account: Account, month: str, uses: int = 1, charges: int = 1) -> Bill:
    """The bill of a month, with the pages of its lists that are asked for."""
    chosen, scope = await month_of(unit, month), await scope_of(unit, account)
    used = await usage_of(unit, scope, chosen)
    listed, paid = None, 0
    if not account.parent_id:
        paging = Paging.of(charges, PER_PAGE, "charges")
        wanted = repository.charges_query(scope.account_ids, chosen.since, chosen.until, paging.limit, paging.offset)
        listed = paging.page(await repository.charges(unit.session, wanted))
        [(bought, back)] = await repository.monthly_payments(
            unit.session, scope.account_ids, [chosen.since, chosen.until]
        )
        paid = bought - back
    return Bill(
        chosen.name,
        chosen.months,
        listed,
        Paging.of(uses, PER_PAGE, "uses").page_of_all(used),
        paid,
        sum(each.calls for each in used),
        sum(each.units for each in used),
    )


def _month(now: datetime, back: int) -> datetime:
    """The first instant of the month `back` months ago."""
    number = now.year * 12 + now.month - 1 - back
    return now.replace(year=number // 12, month=number % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


async def usage_of(unit: UnitOfWork, scope: VisibleAccounts, month: Month) -> list[AccountUsage]:
    """Usage by account and capability, that of the main account first, then by name."""
    hours = Hours(month.since, month.until, scope.main_id)
    rows = [row for row in await usage.totals(unit.session, hours, ["app", "capability"], only=USED) if row.calls]
    owners = await repository.owners_of_apps(unit.session, sorted({row.key[0] for row in rows}), scope.account_ids)
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        app_id, capability = str(row.key[0]), str(row.key[1])
        if app_id in owners:
            sums = found.setdefault((owners[app_id], capability), [0, 0, 0])
            units = 0 if capability in FREE_CAPABILITIES else row.units  # free capabilities deduct nothing
            for place, value in enumerate((row.calls, row.images, units)):
                sums[place] += value
    names = await repository.account_names(unit.session, sorted({owner for owner, _ in found}))
    order = sorted(found, key=lambda key: (key[0] != scope.main_id, names.get(key[0], ""), key[1]))
    return [AccountUsage(names.get(owner, ""), capability, *found[owner, capability]) for owner, capability in order]


@router.get("/bills")
async def page(page_request: Customer, month: str = "", uses: int = 1, charges: int = 1) -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, page_request.account, month, uses, charges)
    return render(page_request, "bills.html", model=model)


@router.get("/bills.csv")
async def as_csv(page_request: Customer, month: str = "") -> Response:
    """The month as CSV: usage by account and capability, then payments and refunds; as a stream."""
    async with page_request.reading() as unit:
        chosen = await month_of(unit, month)
    _ = page_request.translate
    head = (
        _("类型"),
        _("时间"),
        _("所属账号"),
        _("能力"),
        _("请求数"),
        _("调用次数"),
        _("抵扣次数"),
        _("订单号"),
        _("金额（元）"),
    )
    await page_request.record("export.bill", f"bill {chosen.name}", page_request.signed_in_account)
    return csv_stream(f"bill-{chosen.name}.csv", head, _lines(page_request, chosen))


async def _lines(page_request: PageRequest, month: Month) -> AsyncGenerator[Iterable[object], None]:
    assert page_request.account is not None
    _ = page_request.translate
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account)
        for each in await usage_of(unit, scope, month):
            name = title(each.capability, _.language)
            yield _("用量"), month.name, each.account, name, each.calls, each.images, each.units, "", ""
        if page_request.account.parent_id:
            return
        query = repository.charges_query(scope.account_ids, month.since, month.until)
        async for charge in repository.stream_charges(unit.session, query):
            kind, at = _("退订") if charge.refund else _("订购"), charge.at.astimezone(BEIJING).isoformat()
            yield kind, at, charge.account, "", "", "", "", charge.order, Decimal(charge.fen).scaleb(-2)
