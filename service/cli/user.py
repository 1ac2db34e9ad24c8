"""`inkgate user …`: users of the console."""

from __future__ import annotations

import secrets

import typer

from inkgate.service.accounts import repository as accounts
from inkgate.service.audit import trail
from inkgate.service.cli._common import JSON, CommandContext, find_account, print_fields, print_table, run
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users import repository
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from inkgate.service.users.passwords import Passwords

app = typer.Typer(help="Users 用户 of the console: operators and customers.", no_args_is_help=True)


@app.command("list")
def list_(
    account: str = typer.Option("", help="Only the users of this account."),
    operators: bool = typer.Option(False, "--operators", help="Only operators."),
    limit: int = typer.Option(200, min=1, max=10_000, help="At most so many."),
    as_json: bool = JSON,
) -> None:
    """List users with their state: good, must-change, locked or disabled."""
    if account and operators:
        raise Misuse("command.operator_has_no_account")

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            now = await unit.now()
            await trail.record_look(unit, "cli.view", "users", None)
            owner = (await find_account(unit, account)).id if account else None
            if operators:
                rows = await repository.operators(unit.session, limit=limit)
            else:
                rows = await repository.users(unit.session, owner, limit=limit)
            return [await _shown(unit, each, users.state_of(each, now)) for each in rows]

    print_table(("login", "role", "account", "state", "last sign-in", "created"), run(action), as_json=as_json)


@app.command()
def disable(login: str, enable: bool = typer.Option(False, "--enable", help="Let the user sign in again.")) -> None:
    """Stop a user from signing in; sessions end at once. The last operator who may sign in is not disabled."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            user = await _find(unit, login)
            await users.disable_user(unit, user.id, disabled=not enable)

    run(action)


@app.command()
def reset(login: str, as_json: bool = JSON) -> None:
    """Give a user a new initial password, shown this once; a lock and all sessions of the user end."""

    async def action(context: CommandContext) -> dict[str, object]:
        password = secrets.token_urlsafe(12)
        hashed = await Passwords().hash(password)
        async with context.begin() as unit:
            user = await _find(unit, login)
            await users.reset_password(unit, user.id, hashed)
        return {"LOGIN": user.login, "PASSWORD": password}

    print_fields(run(action), as_json=as_json)


async def _shown(unit: UnitOfWork, user: UserRow, state: str) -> tuple[object, ...]:
    owner = await accounts.account(unit.session, user.account_id) if user.account_id else None
    return (user.login, user.role, owner.name if owner else None, state, user.last_login_at, user.created_at)


async def _find(unit: UnitOfWork, login: str) -> UserRow:
    found = await repository.user_named(unit.session, login)
    if found is None:
        raise Misuse("command.user_not_found", login=login)
    return found
