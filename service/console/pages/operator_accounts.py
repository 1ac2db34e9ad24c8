"""For operators: accounts, sub-accounts, their users, apps and packs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.pages.capabilities import PackLine
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.console.visit import Missing, Operator, Visit
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import grant_pack, pack_state, packs_of
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/operator/accounts")
PER_PAGE = 50
PASSWORD_BYTES = 12  # of an initial password, before base64
MOST_OPERATORS = 1000  # that the page lists


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user and how it stands: disabled, locked (wrong passwords), must-change, good."""

    user: UserRow
    state: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """A page of accounts; `parents` names the main accounts of the sub-accounts among them."""

    rows: list[Account]
    parents: dict[str, str]
    mains: list[Account]
    search: str
    page: int
    more: bool
    operators: list[UserLine]


@dataclass(frozen=True, slots=True)
class AccountDetail:
    account: Account
    parent: Account | None
    family: list[Account]
    users: list[UserLine]
    apps: list[tuple[AppRow, list[OpenedRow]]]
    packs: list[PackLine]
    default_qps: float
    allowed: dict[str, dict[str, list[str]]]
    clock_refused: bool


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A user whose password we made: shown this once."""

    login: str
    password: str


async def view(unit: UnitOfWork, search: str, page: int) -> Accounts:
    """Accounts in order of their making, fifty a page."""
    paging = Paging.of(page, PER_PAGE)
    found = await queries.accounts(unit.session, search=search, limit=paging.limit, offset=paging.offset)
    rows, more = paging.cut(found)
    parents = await repository.account_names(unit.session, [each.parent_id for each in rows if each.parent_id])
    mains = [each for each in await queries.accounts(unit.session, limit=1000) if each.parent_id is None]
    operators = await user_lines(unit, await user_queries.operators(unit.session, limit=MOST_OPERATORS))
    return Accounts(rows, parents, mains, search, paging.number, more, operators)


async def detail(unit: UnitOfWork, account_id: str, default_qps: float) -> AccountDetail:
    """One account with everything that hangs on it; `allowed` are its apps' allow-lists. Raises Missing.

    While the clock is refused (`clock_refused`) the page shows all the same, so that an operator can act (ADR 0036);
    packs whose state turns on the time are "unknown".
    """
    account = await queries.account(unit.session, account_id) if len(account_id) == 36 else None
    if account is None:
        raise Missing
    now = await _trusted_now(unit)
    parent = await queries.account(unit.session, account.parent_id) if account.parent_id else None
    family = [
        each for each in await queries.account_with_subaccounts(unit.session, account.id) if each.id != account.id
    ]
    rows = await queries.apps(unit.session, [account.id], limit=1000)
    apps = [(each, await queries.opened_capabilities(unit.session, each.id)) for each in rows]
    packs = await packs_of(unit.session, account.id)
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in packs if each.order_id])
    names = {app.id: app.name for app in rows}
    lines = [
        PackLine(each, _pack_state(each, now), numbers.get(each.order_id or "", ""), names.get(each.app_id or "", ""))
        for each in packs
    ]
    allowed = {each.id: await repository.allowed_of(unit.session, each.id) for each in rows}
    people = await user_lines(unit, await user_queries.users(unit.session, account.id))
    return AccountDetail(account, parent, family, people, apps, lines, default_qps, allowed, now is None)


async def _trusted_now(unit: UnitOfWork) -> datetime | None:
    """The time by which packs are judged; None while it is refused."""
    try:
        return await unit.checked_now()
    except ClockSuspect:
        return None


def _pack_state(pack: PackRow, now: datetime | None) -> str:
    """As `pack_state`; "unknown" without a time, except where the state does not turn on it."""
    if now is not None:
        return pack_state(pack, now)
    state = pack_state(pack, pack.starts_at)
    return "unknown" if state == "valid" else state


async def user_lines(unit: UnitOfWork, rows: list[UserRow]) -> list[UserLine]:
    """Users as the pages list them."""
    now = await unit.now()
    return [UserLine(each, users.state_of(each, now)) for each in rows]


@router.get("")
async def page(visit: Operator, q: str = "", page: int = 1) -> Response:
    return await _list(visit, q[:64], page)


async def _list(visit: Visit, search: str = "", page: int = 1, *, status: int = 200, **more: object) -> Response:
    async with visit.reading() as unit:
        model = await view(unit, search, page)
    return render(visit, "operator_accounts.html", status, model=model, **({"name": "", "new": None} | more))


@router.post("")
async def create(visit: Operator) -> Response:
    name, parent = visit.text("name", 80), visit.text("parent")
    try:
        async with visit.begin() as unit:
            account = await accounts.create_account(unit, name, parent_id=parent or None)
    except Misuse as problem:
        return await _list(visit, status=422, problem=explain(visit.words, problem), name=name)
    return go(visit, f"/operator/accounts/{account.id}", "account-created")


async def _create_login(visit: Visit, account_id: str | None) -> NewLogin:
    """A new user of an account, or an operator (None), with the login of the form. Raises Misuse."""
    login, password = visit.text("login", 64), secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = await visit.parts.passwords.hash(password)
    async with visit.begin() as unit:
        await users.create_user(unit, login, hashed, account_id=account_id, must_change=True)
    return NewLogin(login, password)


async def _reset_login(visit: Visit, account_id: str | None, user_id: str) -> NewLogin:
    """A new initial password for a user of an account, or an operator (None). Raises Missing."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = await visit.parts.passwords.hash(password)
    async with visit.begin() as unit:
        user = await _user(unit, account_id, user_id)
        await users.reset_password(unit, user.id, hashed)
    return NewLogin(user.login, password)


@router.post("/operators")
async def create_operator(visit: Operator) -> Response:
    """One more operator."""
    try:
        new = await _create_login(visit, None)
    except Misuse as problem:
        return await _list(visit, status=422, problem=explain(visit.words, problem))
    return await _list(visit, new=new)


@router.post("/operators/{user_id}/reset")
async def reset_operator(visit: Operator, user_id: str) -> Response:
    """A new initial password for an operator, shown this once; the operator's sessions end."""
    return await _list(visit, new=await _reset_login(visit, None, user_id))


@router.post("/operators/{user_id}/disable")
async def disable_operator(visit: Operator, user_id: str) -> Response:
    """Stop an operator, or with `enable` in the form let one sign in again. The last one stays."""
    enable = visit.flag("enable")
    try:
        async with visit.begin() as unit:
            user = await _user(unit, None, user_id)
            await users.disable_user(unit, user.id, disabled=not enable)
    except Misuse as problem:
        return await _list(visit, status=422, problem=explain(visit.words, problem))
    return go(visit, "/operator/accounts", "user-enabled" if enable else "user-disabled")


@router.get("/{account_id}")
async def detail_page(visit: Operator, account_id: str) -> Response:
    return await _show(visit, account_id)


@router.post("/{account_id}/suspend")
async def suspend(visit: Operator, account_id: str) -> Response:
    """Stop, or with `resume` in the form allow again, every call of the account."""
    resume = visit.flag("resume")
    async with visit.begin() as unit:
        if await queries.account(unit.session, account_id) is None:
            raise Missing
        await accounts.suspend_account(unit, account_id, suspended=not resume)
    return go(visit, f"/operator/accounts/{account_id}", "account-resumed" if resume else "account-suspended")


@router.post("/{account_id}/users")
async def create_user(visit: Operator, account_id: str) -> Response:
    try:
        new = await _create_login(visit, account_id)
    except Misuse as problem:
        return await _show(visit, account_id, status=422, problem=explain(visit.words, problem))
    return await _show(visit, account_id, new=new)


@router.post("/{account_id}/users/{user_id}/reset")
async def reset(visit: Operator, account_id: str, user_id: str) -> Response:
    return await _show(visit, account_id, new=await _reset_login(visit, account_id, user_id))


@router.post("/{account_id}/users/{user_id}/disable")
async def disable(visit: Operator, account_id: str, user_id: str) -> Response:
    enable = visit.flag("enable")
    async with visit.begin() as unit:
        user = await _user(unit, account_id, user_id)
        await users.disable_user(unit, user.id, disabled=not enable)
    return go(visit, f"/operator/accounts/{account_id}", "user-enabled" if enable else "user-disabled")


@router.post("/{account_id}/packs")
async def grant(visit: Operator, account_id: str) -> Response:
    """Give a pack without an order."""
    units = visit.text("units", 14)
    try:
        async with visit.begin() as unit:
            await grant_pack(
                unit,
                account_id,
                visit.text("capability"),
                int(units) if units.isascii() and units.isdigit() else 0,
                app_id=visit.text("app") or None,
            )
    except Misuse as problem:
        return await _show(visit, account_id, status=422, problem=explain(visit.words, problem))
    return go(visit, f"/operator/accounts/{account_id}", "granted")


@router.post("/{account_id}/apps/{app_id}/qps")
async def qps(visit: Operator, account_id: str, app_id: str) -> Response:
    """The request rate of one opened capability; empty goes back to the default."""
    text = visit.text("qps", 12)
    try:
        rate = float(text) if text else None
    except ValueError:
        rate = -1.0
    try:
        async with visit.begin() as unit:
            await accounts.set_qps(unit, app_id, visit.text("capability"), rate)
    except Misuse as problem:
        return await _show(visit, account_id, status=422, problem=explain(visit.words, problem))
    return go(visit, f"/operator/accounts/{account_id}", "qps")


@router.post("/{account_id}/apps/{app_id}/allow")
async def allow(visit: Operator, account_id: str, app_id: str) -> Response:
    """The networks from which an app, or one capability of it, may be used; empty lifts the limit."""
    networks = visit.text("networks", 10_000).replace(",", "\n").split()
    try:
        async with visit.begin() as unit:
            await accounts.set_allowed(unit, app_id, networks, capability=visit.text("capability") or None)
    except Misuse as problem:
        return await _show(visit, account_id, status=422, problem=explain(visit.words, problem))
    return go(visit, f"/operator/accounts/{account_id}", "allowed")


async def _user(unit: UnitOfWork, account_id: str | None, user_id: str) -> UserRow:
    """A user of an account, or with None an operator. Raises Missing."""
    user = await user_queries.user(unit.session, user_id) if len(user_id) == 36 else None
    if user is None or user.account_id != account_id:
        raise Missing
    return user


async def _show(
    visit: Visit, account_id: str, *, status: int = 200, problem: str = "", new: NewLogin | None = None
) -> Response:
    async with visit.reading() as unit:
        model = await detail(unit, account_id, visit.parts.settings.limits.qps)
    sold = [name for name in CAPABILITIES if name not in FREE_CAPABILITIES]
    return render(visit, "operator_account.html", status, model=model, problem=problem, new=new, sold=sold)
