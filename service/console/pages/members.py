"""用户与子账号: the owner of an account manages its users and roles, of a main account also sub-accounts and theirs."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_urlsafe

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, NotFound, PageRequest
from inkgate.service.console.pages.operator_accounts import PASSWORD_BYTES, UserLine, user_lines
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import CUSTOMER_ROLES
from inkgate.service.users import administration, factor
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/members")
ACCOUNTS_PER_PAGE = 10
USERS_SHOWN = 10  # of each account on a page
USERS_PER_PAGE = 50  # of a single account
MAX_USERS = 200  # per account
MAX_SUBACCOUNTS = 200  # per main account


@dataclass(frozen=True, slots=True)
class Members:
    """The accounts that the owner manages, the own one first: a page of them, or `single` one. `people` are the users
    of each account on the page; `choices` are the accounts for which a user can be created."""

    page: Page[Account]
    people: dict[str, Page[UserLine]]
    choices: list[Account]
    single: bool


@dataclass(frozen=True, slots=True)
class Numbers:
    """The page of the accounts that is asked for, or an account and the page of its users."""

    page: int = 1
    account_id: str = ""
    users: int = 1


async def view(unit: UnitOfWork, account: Account, numbers: Numbers) -> Members:
    """Accounts with the first of their users, or one account with a page of its users. Raises NotFound."""
    if numbers.account_id:
        shown, people = await _one(unit, account, numbers)
    else:
        shown, people = await _several(unit, account, numbers.page)
    choices = await queries.family(unit.session, account, limit=MAX_SUBACCOUNTS + 1)
    return Members(shown, people, choices, bool(numbers.account_id))


async def _several(unit: UnitOfWork, account: Account, number: int) -> tuple[Page[Account], dict[str, Page[UserLine]]]:
    paging, few = Paging.of(number, ACCOUNTS_PER_PAGE), Paging.of(1, USERS_SHOWN)
    found = await queries.family(unit.session, account, limit=paging.limit, offset=paging.offset)
    shown = paging.page(found)
    of_accounts = await user_queries.first_users(unit.session, [each.id for each in shown.rows], few.limit)
    people = {each.id: few.page(await user_lines(unit, of_accounts.get(each.id, []))) for each in shown.rows}
    return shown, people


async def _one(unit: UnitOfWork, account: Account, numbers: Numbers) -> tuple[Page[Account], dict[str, Page[UserLine]]]:
    wanted = await managed(unit, account, numbers.account_id)
    if wanted is None:
        raise NotFound
    paging = Paging.of(numbers.users, USERS_PER_PAGE, "users")
    rows = await user_queries.users(unit.session, wanted.id, limit=paging.limit, offset=paging.offset)
    return Page([wanted]), {wanted.id: paging.page(await user_lines(unit, rows))}


async def managed(unit: UnitOfWork, account: Account, account_id: str | None) -> Account | None:
    """The account with this id, if the users of `account` manage it: their own, or a sub-account of it."""
    found = await queries.account(unit.session, account_id) if account_id else None
    return found if found is not None and account.id in (found.id, found.parent_id) else None


@router.get("")
async def page(page_request: Customer, page: int = 1, account: str = "", users: int = 1) -> Response:
    return await _render(page_request, numbers=Numbers(page, account, users))


@router.post("")
async def create(page_request: Customer) -> Response:
    """Create a user of the own account or of a sub-account, with a role, and an initial password."""
    login, password = page_request.text("login"), token_urlsafe(PASSWORD_BYTES)
    account_id = page_request.text("account", 36) or _account(page_request).id
    hashed = await page_request.parts.passwords.hash(password)
    try:
        async with page_request.begin() as unit:
            if await managed(unit, _account(page_request), account_id) is None:
                raise NotFound
            if await user_queries.count_users(unit.session, account_id) >= MAX_USERS:
                raise Misuse("user.too_many", most=MAX_USERS)
            role = page_request.text("role", 16)
            await users.create_user(unit, login, hashed, account_id=account_id, must_change=True, role=role)
            await keep_secret(unit, page_request, "/members", "login", login=login, password=password)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "user-created")


@router.post("/accounts")
async def create_subaccount(page_request: Customer) -> Response:
    """Create a sub-account of the own main account."""
    owner = _account(page_request)
    try:
        async with page_request.begin() as unit:
            if await queries.count_subaccounts(unit.session, owner.id) >= MAX_SUBACCOUNTS:
                raise Misuse("account.too_many_subaccounts", most=MAX_SUBACCOUNTS)
            await accounts.create_account_with_app(
                unit,
                page_request.parts.vault,
                page_request.text("name"),
                parent_id=owner.id,
                default_app=page_request.parts.settings.accounts.default_app,
            )
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "account-created")


@router.post("/{user_id}/role")
async def set_role(page_request: Customer, user_id: str) -> Response:
    try:
        async with page_request.begin() as unit:
            user = await _other(unit, page_request, user_id)
            separate = page_request.parts.settings.access.separate_duties
            await administration.set_role(unit, user, page_request.text("role", 16), separate=separate)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "role-saved")


@router.post("/{user_id}/reset")
async def reset(page_request: Customer, user_id: str) -> Response:
    """A new initial password; the user's sessions end."""
    password = token_urlsafe(PASSWORD_BYTES)
    hashed = await page_request.parts.passwords.hash(password)
    try:
        async with page_request.begin() as unit:
            user = await _other(unit, page_request, user_id)
            await users.reset_password(unit, user.id, hashed)
            await keep_secret(unit, page_request, "/members", "login", login=user.login, password=password)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "password-reset")


@router.post("/{user_id}/disable")
async def disable(page_request: Customer, user_id: str) -> Response:
    """Disable a user, or enable one with `enable` in the form."""
    enable = page_request.flag("enable")
    try:
        async with page_request.begin() as unit:
            user = await _other(unit, page_request, user_id)
            await users.disable_user(unit, user.id, disabled=not enable)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "user-enabled" if enable else "user-disabled")


@router.post("/{user_id}/second-factor")
async def reset_factor(page_request: Customer, user_id: str) -> Response:
    """Turn off the second factor of a user who has lost it."""
    try:
        async with page_request.begin() as unit:
            user = await _other(unit, page_request, user_id)
            await factor.reset(unit, user.login)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, "/members", "factor-reset")


def _account(page_request: PageRequest) -> Account:
    assert page_request.account is not None
    return page_request.account


async def _other(unit: UnitOfWork, page_request: PageRequest, user_id: str) -> UserRow:
    """A user whom the owner manages. Raises NotFound for any other, Misuse for the owner."""
    user = await user_queries.user(unit.session, user_id)
    if user is None or await managed(unit, _account(page_request), user.account_id) is None:
        raise NotFound
    if page_request.signed_in is not None and user.id == page_request.signed_in.user.id:
        raise Misuse("user.own_change")
    return user


async def _render(page_request: PageRequest, *, problem: str = "", numbers: Numbers | None = None) -> Response:
    async with page_request.reading() as unit:
        model = await view(unit, _account(page_request), numbers or Numbers())
        secrets = await secrets_on(unit, page_request, "/members")
    return render(
        page_request,
        "members.html",
        422 if problem else 200,
        model=model,
        problem=problem,
        secrets=secrets,
        roles=CUSTOMER_ROLES,
    )
