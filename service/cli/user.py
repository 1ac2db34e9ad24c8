"""`inkgate user …`: users of the console."""

from __future__ import annotations

import secrets
from datetime import timedelta

import typer

from inkgate.service.accounts import repository as accounts
from inkgate.service.audit import trail
from inkgate.service.cli._common import JSON, LIMIT, CommandContext, find_account, print_fields, print_table, run
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES
from inkgate.service.users import administration, factor, repository
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from inkgate.service.users.passwords import Passwords

ROLES_HELP = f"Of an operator: {', '.join(OPERATOR_ROLES)}; of a customer: {', '.join(CUSTOMER_ROLES)}."
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
def create(
    login: str,
    account: str = typer.Option("", help="The account it works for."),
    operator: bool = typer.Option(False, "--operator", help="An operator, who works for no account."),
    role: str = typer.Option("", help=ROLES_HELP),
    as_json: bool = JSON,
) -> None:
    """Create a user with an initial password, shown this once. The role of an operator stands for --operator."""
    if account and operator:
        raise Misuse("command.operator_has_no_account")
    if not account and not operator and role not in OPERATOR_ROLES:
        raise Misuse("command.user_kind_missing")

    async def action(context: CommandContext) -> dict[str, object]:
        password = secrets.token_urlsafe(12)
        hashed = await Passwords().hash(password)
        async with context.begin() as unit:
            owner = (await find_account(unit, account)).id if account else None
            user = await users.create_user(unit, login, hashed, account_id=owner, must_change=True, role=role or None)
        return {"LOGIN": user.login, "PASSWORD": password}

    print_fields(run(action), as_json=as_json)


@app.command("role")
def set_role(login: str, role: str = typer.Argument(help=ROLES_HELP)) -> None:
    """Give a user a role; it counts from the next page."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            user = await _find(unit, login)
            separate = context.settings.access.separate_duties
            await administration.set_role(unit, user, role, separate=separate)

    run(action)


@app.command("second-factor-reset")
def reset_second_factor(login: str) -> None:
    """Turn off the second factor of a user who has lost it; all sessions of the user end."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await factor.reset(unit, (await _find(unit, login)).login)

    run(action)


@app.command("sessions")
def list_sessions(
    login: str = typer.Argument("", help="Only of this user."), limit: int = LIMIT, as_json: bool = JSON
) -> None:
    """List live sessions, last seen first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        console = context.settings.console
        async with context.begin() as unit:
            now = await unit.now()
            await trail.record_look(unit, "cli.view", "sessions", None)
            rows = await administration.sessions(
                unit,
                current="",
                seen_since=now - timedelta(minutes=console.idle_minutes),
                begun_since=now - timedelta(hours=console.session_hours),
                user_id=(await _find(unit, login)).id if login else None,
                limit=limit,
            )
        return [(each.name, each.login, each.method, each.address, each.begun_at, each.seen_at) for each in rows]

    print_table(("session", "login", "method", "address", "begun", "seen"), run(action), as_json=as_json)


@app.command("session-end")
def end_session(session: str = typer.Argument(help="As `inkgate user sessions` names it.")) -> None:
    """End a session at once."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            if not await administration.end_session(unit, session):
                raise Misuse("user.session_not_found", session=session)

    run(action)


@app.command()
def disable(login: str, enable: bool = typer.Option(False, "--enable", help="Let the user sign in again.")) -> None:
    """Stop a user from signing in; sessions end at once. The last operator who may sign in is not disabled."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            user = await _find(unit, login)
            await users.disable_user(
                unit, user.id, disabled=not enable, separate=context.settings.access.separate_duties
            )

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
    role = user.held_role.value if user.held_role else None
    return (user.login, role, owner.name if owner else None, state, user.last_login_at, user.created_at)


async def _find(unit: UnitOfWork, login: str) -> UserRow:
    found = await repository.user_named(unit.session, login)
    if found is None:
        raise Misuse("command.user_not_found", login=login)
    return found
