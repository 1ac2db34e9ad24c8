"""New users."""

from __future__ import annotations

import re

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Role
from inkgate.service.users import repository
from inkgate.service.users.administration import fitting_role
from inkgate.service.users.models import CUSTOMER, OPERATOR, UserRow

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{2,63}")


async def create_user(
    work: UnitOfWork,
    login: str,
    password_hash: str,
    *,
    account_id: str | None = None,
    must_change: bool = False,
    role: str | None = None,
) -> UserRow:
    """A new user: a customer of `account_id`, or an operator without one; `role` None is the one that may do everything
    of that kind. Raises Misuse, also for a login that differs from another one by case only."""
    if LOGIN.fullmatch(login) is None:
        raise Misuse("user.login_invalid")
    if await repository.is_login_taken(work.session, login):
        raise Misuse("user.login_taken", login=login)
    if account_id is not None:
        await accounts.get_account(work, account_id)
    kind = CUSTOMER if account_id else OPERATOR
    duty = None if role is None else fitting_role(kind, role)
    now = await work.now()
    user = UserRow(
        id=ids.new(),
        login=login,
        password_hash=password_hash,
        account_id=account_id,
        role=kind,
        failures=0,
        must_change=must_change,
        created_at=now,
        duty=duty.value if duty else None,
        login_key=repository.login_key(login),
        password_at=now,
    )
    await add(work.session, user)
    await trail.record(work, "user.create", f"user {login}", account_id, role=duty.value if duty else kind)
    return user


async def create_first_operator(work: UnitOfWork, login: str, password_hash: str, *, separate: bool = False) -> UserRow:
    """Create the operator of a new installation, who makes the others: with separate duties a security administrator.
    Raises Misuse when there is a user already."""
    await repository.lock_user_creation(work.session)
    if await repository.has_users(work.session):
        raise Misuse("user.set_up_already")
    return await create_user(work, login, password_hash, role=Role.SECURITY if separate else None)
