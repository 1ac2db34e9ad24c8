"""账单: charges of a month and usage by sub-account (manual 9.1: the main account pays for all)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.downloads import csv_answer
from inkgate.service.console.page_request import Customer
from inkgate.service.console.render import render, title
from inkgate.service.console.scope import scope_of
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import Scope as Hours

router = APIRouter()
MONTHS = 13


@dataclass(frozen=True, slots=True)
class Charge:
    """A payment (an order, `fen` above 0) or a repayment (a refund, `fen` below 0)."""

    at: datetime
    order: str
    account: str
    refund: bool
    fen: int


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
    """The bill of a month. `charges` is None for a sub-account, which pays nothing itself."""

    month: str
    months: list[str]
    charges: list[Charge] | None
    uses: list[AccountUsage]

    @property
    def paid(self) -> int:
        return sum(each.fen for each in self.charges or ())

    @property
    def units(self) -> int:
        return sum(each.units for each in self.uses)


async def view(unit: UnitOfWork, account: Account, month: str) -> Bill:
    """The bill of a month in Beijing time ("2026-03"; any other text gives the current month)."""
    now = (await unit.now()).astimezone(BEIJING)
    months = [_month(now, back) for back in range(MONTHS)]
    chosen = next((each for each in months if f"{each:%Y-%m}" == month), months[0])
    until = chosen.replace(year=chosen.year + chosen.month // 12, month=chosen.month % 12 + 1)
    scope = await scope_of(unit, account)
    names = await repository.account_names(unit.session, [*scope.account_ids, scope.main_id])
    charges = None if account.parent_id else await _charges(unit, scope.main_id, names, chosen, until)
    uses = await _uses(unit, scope.main_id, scope.account_ids, names, Hours(chosen, until, scope.main_id))
    return Bill(f"{chosen:%Y-%m}", [f"{each:%Y-%m}" for each in months], charges, uses)


def _month(now: datetime, back: int) -> datetime:
    """The first instant of the month `back` months ago."""
    number = now.year * 12 + now.month - 1 - back
    return now.replace(year=number // 12, month=number % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


async def _charges(
    unit: UnitOfWork, main_id: str, names: dict[str, str], since: datetime, until: datetime
) -> list[Charge]:
    family = [each.id for each in await accounts.account_with_subaccounts(unit.session, main_id)]
    paid = [
        Charge(
            row.decided_at or row.ordered_at,
            row.number,
            names.get(row.account_id, ""),
            False,
            row.amount_fen - row.discount_fen,
        )
        for row in await repository.paid_orders(unit.session, family, since, until)
    ]
    back = [
        Charge(row.decided_at or row.requested_at, number, names.get(row.account_id, ""), True, -row.amount_fen)
        for row, number in await repository.paid_back(unit.session, family, since, until)
    ]
    return sorted([*paid, *back], key=lambda each: each.at)


async def _uses(
    unit: UnitOfWork, main_id: str, account_ids: tuple[str, ...], names: dict[str, str], hours: Hours
) -> list[AccountUsage]:
    owners = await repository.app_owners(unit.session, account_ids)
    found: dict[tuple[str, str], list[int]] = {}
    for row in await usage.totals(unit.session, hours, ["app", "capability"]):
        app_id, capability = str(row.key[0]), str(row.key[1])
        if app_id in owners and row.calls:
            sums = found.setdefault((owners[app_id], capability), [0, 0, 0])
            units = 0 if capability in FREE_CAPABILITIES else row.units  # free capabilities deduct nothing
            for place, value in enumerate((row.calls, row.images, units)):
                sums[place] += value
    order = sorted(found, key=lambda key: (key[0] != main_id, names.get(key[0], ""), key[1]))
    return [AccountUsage(names.get(owner, ""), capability, *found[owner, capability]) for owner, capability in order]


@router.get("/bills")
async def page(page_request: Customer, month: str = "") -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, page_request.account, month)
    return render(page_request, "bills.html", model=model)


@router.get("/bills.csv")
async def as_csv(page_request: Customer, month: str = "") -> Response:
    """The month as CSV: usage by account and capability, then payments and refunds."""
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, page_request.account, month)

    _ = page_request.translate
    lines: list[tuple[object, ...]] = [
        (
            _("用量"),
            model.month,
            each.account,
            title(each.capability, _.language),
            each.calls,
            each.images,
            each.units,
            "",
            "",
        )
        for each in model.uses
    ]
    lines += [
        (
            _("退订") if each.refund else _("订购"),
            each.at.astimezone(BEIJING).isoformat(),
            each.account,
            "",
            "",
            "",
            "",
            each.order,
            Decimal(each.fen).scaleb(-2),
        )
        for each in model.charges or ()
    ]
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
    await page_request.record("export.bill", f"bill {model.month}", page_request.signed_in_account)
    return csv_answer(f"bill-{model.month}.csv", head, lines)
