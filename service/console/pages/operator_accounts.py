"""Operator pages: accounts and sub-accounts with their apps and packs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.console import repository
from inkgate.service.console.app_labels import labels
from inkgate.service.console.forms import secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.capabilities import PackLine
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import grant_pack, pack_state, packs_of
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, SEPARATE_ROLES
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/operator/accounts")
PER_PAGE = 50
MAX_LIST_CHARACTERS = 10_000  # of an allow-list as it is typed
PASSWORD_BYTES = 12  # of an initial password, before base64
MAX_OPERATORS_LISTED = 1000  # on one page


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user and its state: disabled, locked (wrong passwords), must-change or good."""

    user: UserRow
    state: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """A page of accounts. `parents` maps the id of a main account to its name, for the sub-accounts on the page."""

    rows: list[Account]
    parents: dict[str, str]
    mains: list[Account]
    search: str
    page: int
    more: bool
    operators: list[UserLine]


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """`last_call` is when a key of the account or its sub-accounts was last used, to the minute."""

    account: Account
    parent: Account | None
    family: list[Account]
    users: list[UserLine]
    apps: list[tuple[AppRow, list[OpenedRow]]]
    packs: list[PackLine]
    default_qps: float
    allowed: dict[str, dict[str, list[str]]]
    clock_refused: bool
    last_call: datetime | None

    @property
    def valid_packs(self) -> list[PackRow]:
        """The packs that can be used now."""
        return [each.pack for each in self.packs if each.state == "valid"]

    @property
    def left(self) -> int:
        """Units left in them."""
        return sum(each.total - each.used for each in self.valid_packs)

    @property
    def total(self) -> int:
        """Units of them, used or not."""
        return sum(each.total for each in self.valid_packs)


async def view(unit: UnitOfWork, search: str, page: int) -> Accounts:
    """Accounts in order of creation, fifty per page."""
    paging = Paging.of(page, PER_PAGE)
    found = await queries.accounts(unit.session, search=search, limit=paging.limit, offset=paging.offset)
    rows, more = paging.cut(found)
    parents = await repository.account_names(unit.session, [each.parent_id for each in rows if each.parent_id])
    mains = [each for each in await queries.accounts(unit.session, limit=1000) if each.parent_id is None]
    operators = await user_lines(unit, await user_queries.operators(unit.session, limit=MAX_OPERATORS_LISTED))
    return Accounts(rows, parents, mains, search, paging.number, more, operators)


async def detail(unit: UnitOfWork, account_id: str, default_qps: float) -> AccountDetail:
    """One account with its users, apps and packs; `allowed` are the allow-lists of its apps. Raises NotFound.

    While the clock is suspect (`clock_refused`) the page is still shown, so that an operator can act (ADR 0036); packs
    whose state depends on the time are "unknown".
    """
    account = await queries.account(unit.session, account_id) if len(account_id) == 36 else None
    if account is None:
        raise NotFound
    now = await _checked_now(unit)
    parent = await queries.account(unit.session, account.parent_id) if account.parent_id else None
    family = [
        each for each in await queries.account_with_subaccounts(unit.session, account.id) if each.id != account.id
    ]
    rows = await queries.apps(unit.session, [account.id], limit=1000)
    apps = [(each, await queries.opened_capabilities(unit.session, each.id)) for each in rows]
    packs = await packs_of(unit.session, account.id)
    numbers = await repository.order_numbers(unit.session, [each.order_id for each in packs if each.order_id])
    owner_ids = [each.id for each in (account, *family)]
    names = labels(await repository.apps_of(unit.session, owner_ids), account.id)
    lines = [
        PackLine(each, _pack_state(each, now), numbers.get(each.order_id or "", ""), names.get(each.app_id or "", ""))
        for each in packs
    ]
    allowed = {each.id: await repository.allowed_of(unit.session, each.id) for each in rows}
    people = await user_lines(unit, await user_queries.users(unit.session, account.id))
    last_call = await queries.last_signed_call(unit.session, [account.id, *(each.id for each in family)])
    return AccountDetail(account, parent, family, people, apps, lines, default_qps, allowed, now is None, last_call)


async def _checked_now(unit: UnitOfWork) -> datetime | None:
    """The time for the state of packs; None while the clock is suspect."""
    try:
        return await unit.checked_now()
    except ClockSuspect:
        return None


def _pack_state(pack: PackRow, now: datetime | None) -> str:
    """As `pack_state`; without a time "unknown", unless the state does not depend on it."""
    if now is not None:
        return pack_state(pack, now)
    state = pack_state(pack, pack.starts_at)
    return "unknown" if state == "valid" else state


async def user_lines(unit: UnitOfWork, rows: list[UserRow]) -> list[UserLine]:
    """The view models of users."""
    now = await unit.now()
    return [UserLine(each, users.state_of(each, now)) for each in rows]


@router.get("")
async def page(page_request: Operator, q: str = "", page: int = 1) -> Response:
    return await render_list(page_request, q[:64], page)


def separate_duties(page_request: PageRequest) -> bool:
    """Whether the duties of operators are separate."""
    return page_request.parts.settings.access.separate_duties


async def render_list(
    page_request: PageRequest, search: str = "", page: int = 1, *, status: int = 200, **more: object
) -> Response:
    async with page_request.reading() as unit:
        model = await view(unit, search, page)
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
                parent_id=parent or None,
                default_app=page_request.parts.settings.accounts.default_app,
            )
    except Misuse as problem:
        said = explain(page_request.translate, problem)
        return await render_list(page_request, status=422, problem=said, name=name, parent=parent)
    return go(page_request, f"/operator/accounts/{account.id}", "account-created")


@router.get("/{account_id}")
async def detail_page(page_request: Operator, account_id: str) -> Response:
    return await render_detail(page_request, account_id)


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
) -> Response:
    """`typed`: (app id, capability or "") → the allow-list that was refused."""
    async with page_request.reading() as unit:
        model = await detail(unit, account_id, page_request.parts.settings.limits.qps)
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
