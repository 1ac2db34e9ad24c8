"""Operator pages: issuing vouchers, and the balances of accounts."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service import money
from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.audit.words import actor_name
from inkgate.service.console import repository
from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Operator, PageRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.orders import balance as balances
from inkgate.service.orders import repository as orders
from inkgate.service.orders import vouchers as rules
from inkgate.service.orders.models import BalanceEntryRow

router = APIRouter(prefix="/operator")
PER_PAGE = 20
VOUCHERS = "/operator/vouchers"


async def _account(unit: UnitOfWork, name: str) -> Account:
    """The account with this name. Raises Misuse."""
    found = await accounts.account_named(unit.session, name)
    if found is None:
        raise Misuse("account.not_found", account_id=name)
    return found


@router.get("/vouchers")
async def voucher_page(page_request: Operator, page: int = 1) -> Response:
    return await _vouchers(page_request, page)


@router.post("/vouchers")
async def issue(page_request: Operator) -> Response:
    """Issue a voucher; the page that follows shows its code."""
    text = page_request.text
    try:
        async with page_request.begin() as unit:
            kind, name = text("kind", 16), text("account", 64)
            owner = await _account(unit, name) if name else None
            code = await rules.issue_voucher(
                unit,
                kind,
                _value(kind, text("value", 24)),
                product_id=(text("product", 32) or None) if kind == "goods" else None,
                account_id=(owner.parent_id or owner.id) if owner else None,
                ends_at=_end(text("ends", 10)),
                name=text("name", 64),
            )
            await keep_secret(unit, page_request, VOUCHERS, "voucher", code=code)
    except Misuse as problem:
        return await _vouchers(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, VOUCHERS)


def _value(kind: str, typed: str) -> int:
    """Fen for a credit, a number for a percentage, 1 for goods. Raises Misuse."""
    if kind == "goods":
        return 1
    found = money.parse(typed) if kind == "credit" else int(typed) if typed.isdecimal() and typed.isascii() else None
    if found is None:
        raise Misuse("voucher.value_out_of_range", most=rules.MAX_VALUE)
    return found


def _end(typed: str) -> datetime | None:
    """The end of a day in Beijing; None when no day is given. Raises Misuse."""
    if not typed:
        return None
    try:
        return datetime.strptime(typed, "%Y-%m-%d").replace(tzinfo=BEIJING) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Misuse("voucher.end_invalid") from None


async def _vouchers(page_request: PageRequest, page: int = 1, problem: str = "") -> Response:
    paging = Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        now = await unit.now()
        found = await orders.vouchers(unit.session, limit=paging.limit, offset=paging.offset)
        shown = paging.page(found)
        owners = [each.account_id for each in shown.rows if each.account_id]
        names = await repository.account_names(unit.session, owners)
        products = {each.id: each for each in await orders.products(unit.session, on_sale=False)}
        secrets = await secrets_on(unit, page_request, VOUCHERS)
    return render(
        page_request,
        "operator_vouchers.html",
        422 if problem else 200,
        rows=[(each, rules.voucher_state(each, now), names.get(each.account_id or "", "")) for each in shown.rows],
        products=products,
        kinds=rules.KINDS,
        page=shown,
        secrets=secrets,
        problem=problem,
    )


@router.get("/balances")
async def balance_page(page_request: Operator, account: str = "", page: int = 1, entries: int = 1) -> Response:
    return await _balances(page_request, account.strip()[:64], page, entry_page=entries)


@router.post("/balances")
async def change_balance(page_request: Operator) -> Response:
    """Top up, or withdraw with `direction` "withdraw"."""
    name = page_request.text("account", 64)
    try:
        fen = money.parse(page_request.text("amount", 24))
        if fen is None:
            raise Misuse("balance.amount_invalid", most=balances.MAX_FEN // 100)
        async with page_request.begin() as unit:
            owner = await _account(unit, name)
            sign = -1 if page_request.text("direction") == "withdraw" else 1
            await balances.change_balance(unit, owner.id, sign * fen, page_request.text("note"))
    except Misuse as problem:
        return await _balances(page_request, name, problem=explain(page_request.translate, problem))
    return go(page_request, "/operator/balances", "balance-changed")


async def _entries(unit: UnitOfWork, account: Account, number: int) -> Page[BalanceEntryRow]:
    """A page of the changes of a balance, latest first."""
    paging = Paging.of(number, PER_PAGE, "entries")
    return paging.page(await orders.entries(unit.session, account.id, limit=paging.limit, offset=paging.offset))


async def _balances(
    page_request: PageRequest, name: str = "", page: int = 1, problem: str = "", *, entry_page: int = 1
) -> Response:
    """The main accounts whose name contains `name`, with their balances and the entries of a single one."""
    paging = Paging.of(page, PER_PAGE)
    async with page_request.reading() as unit:
        found = await accounts.main_accounts(unit.session, name, limit=paging.limit, offset=paging.offset)
        shown = paging.page(found)
        held = await orders.balances(unit.session, [each.id for each in shown.rows])
        entries = await _entries(unit, shown.rows[0], entry_page) if len(shown.rows) == 1 else None
    return render(
        page_request,
        "operator_balances.html",
        422 if problem else 200,
        rows=[(each, held.get(each.id, 0)) for each in shown.rows],
        entries=entries,
        actor_name=partial(actor_name, language=page_request.translate.language),
        name=name,
        page=shown,
        problem=problem,
    )
