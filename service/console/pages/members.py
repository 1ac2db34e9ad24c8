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
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import CUSTOMER_ROLES
from inkgate.service.users import administration, factor
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/members")
ACCOUNTS_PER_PAGE = 20
MAX_USERS = 200  # per account
MAX_SUBACCOUNTS = 200  # per main account


@dataclass(frozen=True, slots=True)
class Members:
    """The accounts that the owner manages, the own one first, and the users of those on this page."""

    accounts: list[Account]
    people: dict[str, list[UserLine]]
    page: int
    more: bool


async def view(unit: UnitOfWork, account: Account, page: int = 1) -> Members:
    """The users of an account, and of its sub-accounts if it is a main account; some accounts per page."""
    family = await managed(unit, account)
    paging = Paging.of(page, ACCOUNTS_PER_PAGE)
    shown, more = paging.cut(family[paging.offset :])
    people = {
        each.id: await user_lines(unit, await user_queries.users(unit.session, each.id, limit=MAX_USERS))
        for each in shown
    }
    return Members(family, people, paging.number, more)


async def managed(unit: UnitOfWork, account: Account) -> list[Account]:
    """The account and, for a main account, its sub-accounts."""
    if account.parent_id is not None:
        return [account]
    family = await queries.account_with_subaccounts(unit.session, account.id)
    return [account, *(each for each in family if each.id != account.id)]


@router.get("")
async def page(page_request: Customer, page: int = 1) -> Response:
    return await _render(page_request, page=page)


@router.post("")
async def create(page_request: Customer) -> Response:
    """Create a user of the own account or of a sub-account, with a role, and an initial password."""
    login, password = page_request.text("login"), token_urlsafe(PASSWORD_BYTES)
    account_id = page_request.text("account", 36) or _account(page_request).id
    hashed = await page_request.parts.passwords.hash(password)
    try:
        async with page_request.begin() as unit:
            if account_id not in {each.id for each in await managed(unit, _account(page_request))}:
                raise NotFound
            if len(await user_queries.users(unit.session, account_id, limit=MAX_USERS)) >= MAX_USERS:
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
            if len(await queries.account_with_subaccounts(unit.session, owner.id)) > MAX_SUBACCOUNTS:
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
    if user is None or user.account_id not in {each.id for each in await managed(unit, _account(page_request))}:
        raise NotFound
    if page_request.signed_in is not None and user.id == page_request.signed_in.user.id:
        raise Misuse("user.own_change")
    return user


async def _render(page_request: PageRequest, *, problem: str = "", page: int = 1) -> Response:
    async with page_request.reading() as unit:
        model = await view(unit, _account(page_request), page)
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
