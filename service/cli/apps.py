"""`inkgate app …`: apps, their opened capabilities, allow-lists and rates."""

from __future__ import annotations

from typing import Annotated

import typer

from inkgate.service.accounts import repository
from inkgate.service.accounts import service as accounts
from inkgate.service.audit import trail
from inkgate.service.broker.streams import holds
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.cli._common import (
    JSON,
    LIMIT,
    OWNER,
    CommandContext,
    find_account,
    find_app,
    print_fields,
    print_table,
    run,
)
from inkgate.service.cli.importing import import_apps, import_key_pair
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import Misuse

app = typer.Typer(help="Apps 应用: keys, opened capabilities, allow-lists, rates.", no_args_is_help=True)
app.command("import")(import_apps)
app.command("sm2-import")(import_key_pair)


@app.command()
def create(account: str, name: str, description: str = "", as_json: bool = JSON) -> None:
    """Create an app for an account. AppSecret is shown this once."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            new = await accounts.create_app(unit, await context.vault(), owner.id, name, description=description)
            return {"APP": new.app_id, "APPKEY": new.appkey, "APPSECRET": new.secret, "ENCKEY": new.enckey}

    print_fields(run(action), as_json=as_json)


@app.command("open")
def open_(
    name: str,
    capabilities: Annotated[list[str], typer.Argument(help=f"{', '.join(CAPABILITIES)}; none: all.")] = [],  # noqa: B006
    qps: float = typer.Option(None, help="Requests per second; without it the installation's default."),
    account: str = OWNER,
) -> None:
    """Open capabilities for an app (name, AppKey or id). They cannot be closed again."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            for capability in capabilities or CAPABILITIES:
                await accounts.open_capability(unit, found.id, capability, qps=qps)

    run(action)


@app.command("list")
def list_(account: str, search: str = "", limit: int = LIMIT, as_json: bool = JSON) -> None:
    """List the live apps of an account and of its sub-accounts."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            family = await repository.account_with_subaccounts(unit.session, owner.id)
            names = {each.id: each.name for each in family}
            rows: list[tuple[object, ...]] = []
            for each in await repository.apps(unit.session, list(names), search=search, limit=limit):
                opened = ",".join(row.capability for row in await repository.opened_capabilities(unit.session, each.id))
                rows.append((each.name, names[each.account_id], each.appkey, opened, each.created_at, each.id))
            return rows

    print_table(("name", "account", "appkey", "opened", "created", "id"), run(action), as_json=as_json)


@app.command()
def show(name: str, account: str = OWNER, as_json: bool = JSON) -> None:
    """Show an app (name, AppKey or id) without its secrets."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            owner = await accounts.get_account(unit, found.account_id)
            rows: dict[str, object] = {"APP": found.id, "NAME": found.name, "APPKEY": found.appkey}
            rows["ACCOUNT"] = owner.name
            rows["ENCKEY"] = found.sm2_public_key
            if found.imported_at is not None:
                rows["IMPORTED"] = found.imported_at.isoformat(timespec="seconds")
            if found.seals:
                rows["SEALS"] = (
                    "with the key pair that was imported" if found.sm2_imported else "with the public key above"
                )
            for each in await repository.opened_capabilities(unit.session, found.id):
                rows[f"OPENED_{each.capability.upper()}"] = "default qps" if each.qps is None else f"{each.qps:g} qps"
            lists: dict[str, list[str]] = {}
            for rule in await repository.allow_list(unit.session, found.id):
                lists.setdefault(f"ALLOWED_{rule.capability.upper()}".rstrip("_"), []).append(rule.network)
            return rows | {key: " ".join(networks) for key, networks in lists.items()}

    print_fields(run(action), as_json=as_json)


@app.command()
def reveal(name: str, account: str = OWNER) -> None:
    """Print an app's AppSecret; the audit trail notes it."""

    async def action(context: CommandContext) -> str:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            return await accounts.app_secret(unit, await context.vault(), found.id)

    typer.echo(run(action))


@app.command()
def allow(
    name: str,
    networks: Annotated[list[str], typer.Argument(help="Addresses and networks; none: every address.")] = [],  # noqa: B006
    capability: str = typer.Option("", help="Only for this capability (40010); else for the app (40009)."),
    account: str = OWNER,
) -> None:
    """Replace the allow-list of an app, or of one capability of it."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            await accounts.set_allowed(unit, found.id, networks or [], capability=capability or None)

    run(action)


@app.command()
def qps(
    name: str,
    capability: str,
    rate: str = typer.Argument(..., help="Requests per second, or `default`."),
    account: str = OWNER,
) -> None:
    """Change the request rate of an opened capability."""
    try:
        value = None if rate == "default" else float(rate)
    except ValueError:
        raise Misuse("command.not_rate", text=rate) from None

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            await accounts.set_qps(unit, found.id, capability, value)

    run(action)


@app.command()
def held(as_json: bool = JSON) -> None:
    """List the apps that are held off because their images killed workers (over Redis)."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        url, keys = _queue(context)
        found = await holds.apps_held_off(url, keys)
        rows: list[tuple[object, ...]] = []
        async with context.begin() as unit:
            for appkey, seconds in found.items():
                row = await repository.app_by_key(unit.session, appkey)
                owner = await accounts.get_account(unit, row.account_id) if row else None
                rows.append((row.name if row else "", owner.name if owner else "", appkey, f"{seconds:.0f}"))
        return rows

    print_table(("name", "account", "appkey", "seconds"), run(action), as_json=as_json)


@app.command()
def lift(name: str, account: str = OWNER) -> None:
    """End the hold-off of an app whose images killed workers (over Redis); gateways know within a second."""

    async def action(context: CommandContext) -> bool:
        url, keys = _queue(context)
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            lifted = await holds.lift_hold_off(url, keys, found.appkey)
            await trail.record(unit, "app.lift", f"app {found.name}", found.account_id, app_id=found.id, held=lifted)
            return lifted

    typer.echo("lifted" if run(action) else "was not held off; its deaths are forgotten")


def _queue(context: CommandContext) -> tuple[str, Keys]:
    redis = context.settings.redis
    if not redis.url:
        raise Misuse("command.holds_need_redis")
    return redis.url, Keys(redis.namespace, context.settings.engine.profile)


@app.command()
def delete(name: str, account: str = OWNER, yes: bool = typer.Option(False, "--yes", help="Do not ask.")) -> None:
    """Delete an app: its key stops working, packs bound to it are lost to it; records remain."""
    if not yes:
        typer.confirm(f"Delete the app {name}?", abort=True)

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            await accounts.delete_app(unit, found.id)

    run(action)
