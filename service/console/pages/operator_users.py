"""Operator pages: users, namely operators and the users of accounts: create, reset, disable, role, second factor."""

from __future__ import annotations

import secrets

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.forms import keep_secret
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import NotFound, Operator, PageRequest
from inkgate.service.console.pages.operator_accounts import (
    PASSWORD_BYTES,
    render_detail,
    render_list,
    separate_duties,
)
from inkgate.service.console.render import go
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.messages import Kind
from inkgate.service.permissions import Role
from inkgate.service.users import administration, factor
from inkgate.service.users import repository as user_queries
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow

router = APIRouter(prefix="/operator/accounts")


async def _create_login(page_request: PageRequest, account_id: str | None) -> None:
    """Create a user of an account, or an operator (None), with the login of the form. Raises Misuse."""
    login, password = page_request.text("login"), secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = await page_request.parts.passwords.hash(password)
    async with page_request.begin() as unit:
        role = page_request.text("role", 16) or None
        if account_id is None and separate_duties(page_request) and role in (None, Role.OPERATOR):
            raise Misuse("user.duties_separate")
        await users.create_user(unit, login, hashed, account_id=account_id, must_change=True, role=role)
        await keep_secret(unit, page_request, _page_of(account_id), "login", login=login, password=password)


async def _reset_login(page_request: PageRequest, account_id: str | None, user_id: str) -> None:
    """Set a new initial password for a user of an account, or an operator (None). Raises NotFound and Misuse."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = await page_request.parts.passwords.hash(password)
    async with page_request.begin() as unit:
        user = await _other_user(unit, page_request, account_id, user_id)
        await users.reset_password(unit, user.id, hashed)
        await keep_secret(unit, page_request, _page_of(account_id), "login", login=user.login, password=password)


@router.post("/operators")
async def create_operator(page_request: Operator) -> Response:
    """Create an operator."""
    try:
        await _create_login(page_request, None)
    except Misuse as problem:
        return await _refused(page_request, None, problem)
    return go(page_request, _page_of(None), "user-created")


@router.post("/operators/{user_id}/reset")
async def reset_operator(page_request: Operator, user_id: str) -> Response:
    """Set a new initial password for an operator. The operator's sessions end."""
    try:
        await _reset_login(page_request, None, user_id)
    except Misuse as problem:
        return await _refused(page_request, None, problem)
    return go(page_request, _page_of(None), "password-reset")


@router.post("/operators/{user_id}/disable")
async def disable_operator(page_request: Operator, user_id: str) -> Response:
    """Disable an operator, or enable one with `enable` in the form. The last operator cannot be disabled."""
    enable = page_request.flag("enable")
    try:
        async with page_request.begin() as unit:
            user = await _other_user(unit, page_request, None, user_id)
            await users.disable_user(unit, user.id, disabled=not enable, separate=separate_duties(page_request))
    except Misuse as problem:
        return await _refused(page_request, None, problem)
    return go(page_request, "/operator/accounts", "user-enabled" if enable else "user-disabled")


@router.post("/operators/{user_id}/role")
async def set_operator_role(page_request: Operator, user_id: str) -> Response:
    """Give another operator a role."""
    return await _set_role(page_request, None, user_id)


@router.post("/operators/{user_id}/second-factor")
async def reset_operator_factor(page_request: Operator, user_id: str) -> Response:
    """Turn off the second factor of another operator, who has lost it."""
    return await _reset_factor(page_request, None, user_id)


@router.post("/{account_id}/users")
async def create_user(page_request: Operator, account_id: str) -> Response:
    try:
        await _create_login(page_request, account_id)
    except Misuse as problem:
        return await _refused(page_request, account_id, problem)
    return go(page_request, _page_of(account_id), "user-created")


@router.post("/{account_id}/users/{user_id}/reset")
async def reset(page_request: Operator, account_id: str, user_id: str) -> Response:
    await _reset_login(page_request, account_id, user_id)
    return go(page_request, _page_of(account_id), "password-reset")


@router.post("/{account_id}/users/{user_id}/disable")
async def disable(page_request: Operator, account_id: str, user_id: str) -> Response:
    enable = page_request.flag("enable")
    async with page_request.begin() as unit:
        user = await _user(unit, account_id, user_id)
        await users.disable_user(unit, user.id, disabled=not enable)
    return go(page_request, f"/operator/accounts/{account_id}", "user-enabled" if enable else "user-disabled")


@router.post("/{account_id}/users/{user_id}/role")
async def set_role(page_request: Operator, account_id: str, user_id: str) -> Response:
    return await _set_role(page_request, account_id, user_id)


@router.post("/{account_id}/users/{user_id}/second-factor")
async def reset_factor(page_request: Operator, account_id: str, user_id: str) -> Response:
    """Turn off the second factor of a user who has lost it."""
    return await _reset_factor(page_request, account_id, user_id)


async def _set_role(page_request: PageRequest, account_id: str | None, user_id: str) -> Response:
    try:
        async with page_request.begin() as unit:
            user = await _other_user(unit, page_request, account_id, user_id)
            role, separate = page_request.text("role", 16), separate_duties(page_request)
            await administration.set_role(unit, user, role, separate=separate)
    except Misuse as problem:
        return await _refused(page_request, account_id, problem)
    return go(page_request, _page_of(account_id), "role-saved")


async def _reset_factor(page_request: PageRequest, account_id: str | None, user_id: str) -> Response:
    try:
        async with page_request.begin() as unit:
            user = await _other_user(unit, page_request, account_id, user_id)
            await factor.reset(unit, user.login)
    except Misuse as problem:
        return await _refused(page_request, account_id, problem)
    return go(page_request, _page_of(account_id), "factor-reset")


def _page_of(account_id: str | None) -> str:
    return f"/operator/accounts/{account_id}" if account_id else "/operator/accounts"


async def _refused(page_request: PageRequest, account_id: str | None, problem: Misuse) -> Response:
    """The page of an account, or of all (None), with the problem. Raises a Misuse that is none of the form."""
    if problem.kind is Kind.NOT_FOUND:
        raise problem
    text = explain(page_request.translate, problem)
    if account_id is None:
        return await render_list(page_request, status=422, problem=text)
    return await render_detail(page_request, account_id, status=422, problem=text)


async def _other_user(unit: UnitOfWork, page_request: PageRequest, account_id: str | None, user_id: str) -> UserRow:
    """As `_user`, of another user than the one who asks. Raises NotFound and Misuse."""
    user = await _user(unit, account_id, user_id)
    if page_request.signed_in is not None and user.id == page_request.signed_in.user.id:
        raise Misuse("user.own_change")
    return user


async def _user(unit: UnitOfWork, account_id: str | None, user_id: str) -> UserRow:
    """A user of an account, or an operator (None). Raises NotFound."""
    user = await user_queries.user(unit.session, user_id) if len(user_id) == 36 else None
    if user is None or user.account_id != account_id:
        raise NotFound
    return user
