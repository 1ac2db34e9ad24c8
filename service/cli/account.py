"""`inkgate account …`: accounts, sub-accounts and access keys."""

from __future__ import annotations

from datetime import timedelta

import typer

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.cli._common import JSON, LIMIT, CommandContext, find_account, print_fields, print_table, run
from inkgate.service.cli.importing import import_all
from inkgate.service.db import work

app = typer.Typer(help="Accounts 账号, sub-accounts and access keys.", no_args_is_help=True)
app.command("import")(import_all)


@app.command()
def create(
    name: str,
    parent: str = typer.Option("", help="Main account; makes this a sub-account, whose usage the main one pays."),
    as_json: bool = JSON,
) -> None:
    """Create an account with a first access key and its default app. Their secrets are shown this once."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            parent_id = (await find_account(unit, parent)).id if parent else None
            vault, default_app = await context.vault(), context.settings.accounts.default_app
            account, made = await accounts.create_account_with_app(
                unit, vault, name, parent_id=parent_id, default_app=default_app
            )
            pair = await accounts.create_access_key(unit, vault, account.id)
            rows: dict[str, object] = {"ACCOUNT": account.id, "AK": pair.ak, "SK": pair.sk}
            if made is not None:
                rows |= {"APP": made.app_id, "NAME": made.name, "APPKEY": made.appkey}
                rows |= {"APPSECRET": made.secret, "ENCKEY": made.enckey}
            return rows

    print_fields(run(action), as_json=as_json)


@app.command("list")
def list_(search: str = "", limit: int = LIMIT, as_json: bool = JSON) -> None:
    """List accounts."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        await context.look("accounts")
        async with work.read_session(context.engine) as session:
            found = await repository.accounts(session, search=search, limit=limit)
        return [(each.name, each.id, each.parent_id, each.created_at, each.suspended_at) for each in found]

    print_table(("name", "id", "main account", "created", "suspended"), run(action), as_json=as_json)


@app.command()
def suspend(name: str, resume: bool = typer.Option(False, "--resume", help="Let it call again.")) -> None:
    """Stop every call of an account and of its sub-accounts."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            account = await find_account(unit, name)
            await accounts.suspend_account(unit, account.id, suspended=not resume)

    run(action)


@app.command("key-create")
def key_create(name: str, as_json: bool = JSON) -> None:
    """Create another access key. Its secret is shown this once."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            account = await find_account(unit, name)
            pair = await accounts.create_access_key(unit, await context.vault(), account.id)
            return {"AK": pair.ak, "SK": pair.sk}

    print_fields(run(action), as_json=as_json)


@app.command("key-list")
def key_list(name: str, as_json: bool = JSON) -> None:
    """List the access keys of an account."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            account = await find_account(unit, name)
            keys = await repository.access_keys(unit.session, account.id)
        return [(key.ak, key.created_at, key.last_used_at, key.ends_at, key.disabled_at) for key in keys]

    print_table(("ak", "created", "last used", "ends", "disabled"), run(action), as_json=as_json)


@app.command("key-rotate")
def key_rotate(
    ak: str,
    overlap_hours: float = typer.Option(24.0, min=0, max=24 * 365, help="Hours that the old key goes on."),
    as_json: bool = JSON,
) -> None:
    """Create a successor for a key; the old one goes on for a while."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            overlap = timedelta(hours=overlap_hours)
            pair = await accounts.rotate_access_key(unit, await context.vault(), ak, overlap=overlap)
            return {"AK": pair.ak, "SK": pair.sk}

    print_fields(run(action), as_json=as_json)


@app.command("key-disable")
def key_disable(ak: str, enable: bool = typer.Option(False, "--enable", help="Let it work again.")) -> None:
    """Stop an access key."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await accounts.disable_access_key(unit, ak, disabled=not enable)

    run(action)
