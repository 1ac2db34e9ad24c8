"""Operator pages: accounts and sub-accounts with their apps and packs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.console import repository
from inkgate.service.console.forms import secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.capabilities import PackLine, pack_lines
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import MAX_CHOICES, family_of
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.metering.pack_totals import StateTotals, Totals, count_packs, pack_totals
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import grant_pack
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, SEPARATE_ROLES
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/operator/accounts")
PER_PAGE = 50
APPS_PER_PAGE = 10  # each with its capabilities, and a dialog for each of them
MAX_LIST_CHARACTERS = 10_000  # of an allow-list as it is typed
PASSWORD_BYTES = 12  # of an initial password, before base64


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user and its state: disabled, locked (wrong passwords), must-change or good."""

    user: UserRow
    state: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """A page of accounts, and one of operators. `parents` maps the id of a main account to its name, for the
    sub-accounts on the page."""

    page: Page[Account]
    parents: dict[str, str]
    search: str
    operators: Page[UserLine]


@dataclass(frozen=True, slots=True)
class Counts:
    """Users, sub-accounts and packs of an account, on all pages."""

    users: int
    family: int
    packs: int


@dataclass(frozen=True, slots=True)
class AppLine:
    """An app with its opened capabilities. `allowed` maps a capability ("" for the whole app) to its networks."""

    app: AppRow
    opened: list[OpenedRow]
    allowed: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """An account with a page of each of its lists. `last_call` is when a key of the account or its sub-accounts was
    last used, to the minute; `choices` are the newest live apps."""

    account: Account
    parent: Account | None
    family: Page[Account]
    users: Page[UserLine]
    apps: Page[AppLine]
    packs: Page[PackLine]
    totals: Totals
    counts: Counts
    choices: list[AppRow]
    default_qps: float
    clock_refused: bool
    last_call: datetime | None

    @property
    def valid(self) -> list[StateTotals]:
        """The totals of the packs that can be used now, by capability."""
        return [each for (_, state), each in self.totals.items() if state == "valid"]

    @property
    def left(self) -> int:
        """Units left in them."""
        return sum(each.total - each.used for each in self.valid)

    @property
    def total(self) -> int:
        """Units of them, used or not."""
        return sum(each.total for each in self.valid)

    @property
    def valid_packs(self) -> int:
        return sum(each.packs for each in self.valid)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The page of each list of an account that is asked for."""

    packs: int = 1
    users: int = 1
    family: int = 1
    apps: int = 1


async def view(unit: UnitOfWork, search: str, page: int, operators_page: int = 1) -> Accounts:
    """Accounts in order of creation, and operators by login, fifty per page."""
    paging, of_operators = Paging.of(page, PER_PAGE), Paging.of(operators_page, PER_PAGE, "operators")
    found = await queries.accounts(unit.session, search=search, limit=paging.limit, offset=paging.offset)
    shown = paging.page(found)
    parents = await repository.account_names(unit.session, [each.parent_id for each in shown.rows if each.parent_id])
    operators = of_operators.page(
        await user_queries.operators(unit.session, limit=of_operators.limit, offset=of_operators.offset)
    )
    return Accounts(shown, parents, search, operators.of(await user_lines(unit, operators.rows)))


async def detail(unit: UnitOfWork, account_id: str, default_qps: float, numbers: Numbers) -> AccountDetail:
    """One account with its users, apps and packs. Raises NotFound.

    While the clock is suspect (`clock_refused`) the page is still shown, so that an operator can act (ADR 0036); packs
    whose state depends on the time are "unknown".
    """
    session = unit.session
    account = await queries.account(session, account_id) if len(account_id) == 36 else None
    if account is None:
        raise NotFound
    now = await _checked_now(unit)
    family = Paging.of(numbers.family, PER_PAGE, "family")
    people = Paging.of(numbers.users, PER_PAGE, "users")
    users = people.page(await user_queries.users(session, account.id, limit=people.limit, offset=people.offset))
    return AccountDetail(
        account=account,
        parent=await queries.account(session, account.parent_id) if account.parent_id else None,
        family=family.page(await queries.subaccounts(session, account.id, limit=family.limit, offset=family.offset)),
        users=users.of(await user_lines(unit, users.rows)),
        apps=await _app_lines(unit, account.id, numbers.apps),
        packs=await pack_lines(unit, account.id, await family_of(unit, account), now, numbers.packs),
        totals=await pack_totals(session, account.id, now) if now else {},
        counts=Counts(
            await user_queries.count_users(session, account.id),
            await queries.count_subaccounts(session, account.id),
            await count_packs(session, account.id),
        ),
        choices=await queries.apps(session, [account.id], limit=MAX_CHOICES),
        default_qps=default_qps,
        clock_refused=now is None,
        last_call=await queries.last_signed_call(session, account.id),
    )


async def _app_lines(unit: UnitOfWork, account_id: str, page: int) -> Page[AppLine]:
    """A page of the live apps of an account, with one query for each kind of row."""
    paging = Paging.of(page, APPS_PER_PAGE, "apps")
    shown = paging.page(await queries.apps(unit.session, [account_id], limit=paging.limit, offset=paging.offset))
    of_page = [each.id for each in shown.rows]
    opened = await queries.opened_of(unit.session, of_page)
    allowed = await queries.allow_lists(unit.session, of_page)
    return shown.of([AppLine(each, opened.get(each.id, []), allowed.get(each.id, {})) for each in shown.rows])


async def _checked_now(unit: UnitOfWork) -> datetime | None:
    """The time for the state of packs; None while the clock is suspect."""
    try:
        return await unit.checked_now()
    except ClockSuspect:
        return None


async def user_lines(unit: UnitOfWork, rows: Sequence[UserRow]) -> list[UserLine]:
    """The view models of users."""
    now = await unit.now()
    return [UserLine(each, users.state_of(each, now)) for each in rows]


@router.get("")
async def page(page_request: Operator, q: str = "", page: int = 1, operators: int = 1) -> Response:
    return await render_list(page_request, q[:64], page, operators)


def separate_duties(page_request: PageRequest) -> bool:
    """Whether the duties of operators are separate."""
    return page_request.parts.settings.access.separate_duties


async def render_list(
    page_request: PageRequest,
    search: str = "",
    page: int = 1,
    operators: int = 1,
    *,
    status: int = 200,
    **more: object,
) -> Response:
    async with page_request.reading() as unit:
        model = await view(unit, search, page, operators)
        secrets = await secrets_on(unit, page_request, "/operator/accounts")
    roles = SEPARATE_ROLES if separate_duties(page_request) else OPERATOR_ROLES
    named = {"name": "", "parent": ""} | more
    return render(page_request, "operator_accounts.html", status, model=model, roles=roles, secrets=secrets, **named)


@router.post("")
async def create(page_request: Operator) -> Response:
    name, parent = page_request.text("name"), page_request.text("parent")
    try:
        async with page_request.begin() as unit:
            account, _made = await accounts.create_account_with_app(
                unit,
                page_request.parts.vault,
                name,
                parent_id=await _parent(unit, parent),
                default_app=page_request.parts.settings.accounts.default_app,
            )
    except Misuse as problem:
        said = explain(page_request.translate, problem)
        return await render_list(page_request, status=422, problem=said, name=name, parent=parent)
    return go(page_request, f"/operator/accounts/{account.id}", "account-created")


async def _parent(unit: UnitOfWork, typed: str) -> str | None:
    """The id of the main account with this name or id; None for "". Raises Misuse."""
    if not typed or ids.is_canonical_uuid(typed):
        return typed or None
    found = await queries.account_named(unit.session, typed)
    if found is None:
        raise Misuse("account.not_found", account_id=typed)
    return found.id


@router.get("/{account_id}")
async def detail_page(
    page_request: Operator, account_id: str, packs: int = 1, users: int = 1, family: int = 1, apps: int = 1
) -> Response:
    return await render_detail(page_request, account_id, numbers=Numbers(packs, users, family, apps))


@router.post("/{account_id}/suspend")
async def suspend(page_request: Operator, account_id: str) -> Response:
    """Suspend the account, or resume it with `resume` in the form."""
    resume = page_request.flag("resume")
    async with page_request.begin() as unit:
        if await queries.account(unit.session, account_id) is None:
            raise NotFound
        await accounts.suspend_account(unit, account_id, suspended=not resume)
    return go(page_request, f"/operator/accounts/{account_id}", "account-resumed" if resume else "account-suspended")


@router.post("/{account_id}/packs")
async def grant(page_request: Operator, account_id: str) -> Response:
    """Grant a pack without an order."""
    units = page_request.text("units", 14)
    try:
        async with page_request.begin() as unit:
            await grant_pack(
                unit,
                account_id,
                page_request.text("capability"),
                int(units) if units.isascii() and units.isdigit() else 0,
                app_id=page_request.text("app") or None,
            )
    except Misuse as problem:
        return await render_detail(
            page_request, account_id, status=422, problem=explain(page_request.translate, problem)
        )
    return go(page_request, f"/operator/accounts/{account_id}", "granted")


@router.post("/{account_id}/apps/{app_id}/qps")
async def qps(page_request: Operator, account_id: str, app_id: str) -> Response:
    """Set the request rate of one opened capability; an empty field restores the default."""
    text = page_request.text("qps", 12)
    try:
        rate = float(text) if text else None
    except ValueError:
        rate = -1.0
    try:
        async with page_request.begin() as unit:
            await accounts.set_qps(unit, app_id, page_request.text("capability"), rate)
    except Misuse as problem:
        return await render_detail(
            page_request, account_id, status=422, problem=explain(page_request.translate, problem)
        )
    return go(page_request, f"/operator/accounts/{account_id}", "qps")


@router.post("/{account_id}/apps/{app_id}/allow")
async def set_allow_list(page_request: Operator, account_id: str, app_id: str) -> Response:
    """Set the allow-list of an app or of one of its capabilities; an empty field removes it."""
    networks = page_request.text("networks", MAX_LIST_CHARACTERS).replace(",", "\n").split()
    capability = page_request.text("capability")
    try:
        async with page_request.begin() as unit:
            await accounts.set_allowed(unit, app_id, networks, capability=capability or None)
    except Misuse as problem:
        said = explain(page_request.translate, problem)
        typed = {(app_id, capability): page_request.text("networks", MAX_LIST_CHARACTERS)}
        return await render_detail(page_request, account_id, status=422, problem=said, typed=typed)
    return go(page_request, f"/operator/accounts/{account_id}", "allowed")


async def render_detail(
    page_request: PageRequest,
    account_id: str,
    *,
    status: int = 200,
    problem: str = "",
    typed: Mapping[tuple[str, str], str] = MappingProxyType({}),
    numbers: Numbers = Numbers(),
) -> Response:
    """`typed`: (app id, capability or "") → the allow-list that was refused."""
    async with page_request.reading() as unit:
        model = await detail(unit, account_id, page_request.parts.settings.limits.qps, numbers)
        secrets = await secrets_on(unit, page_request, f"/operator/accounts/{account_id}")
    sold = [name for name in CAPABILITIES if name not in FREE_CAPABILITIES]
    return render(
        page_request,
        "operator_account.html",
        status,
        model=model,
        problem=problem,
        secrets=secrets,
        typed=typed,
        sold=sold,
        roles=CUSTOMER_ROLES,
    )
