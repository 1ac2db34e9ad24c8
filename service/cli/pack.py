"""`inkgate pack …`: resource packs."""

from __future__ import annotations

import typer

from inkgate.service.cli._common import (
    CommandContext,
    find_account,
    find_app_paid_by,
    one_of,
    print_fields,
    print_table,
    run,
)
from inkgate.service.metering import service as metering
from inkgate.service.metering.packs import COMMERCIAL

app = typer.Typer(help="Resource packs 资源包.", no_args_is_help=True)
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def grant(
    account: str,
    capability: str = typer.Argument(..., help=f"{one_of(COMMERCIAL)}."),
    units: int = typer.Argument(..., help="Calls that the pack pays for.", min=1),
    only_app: str = typer.Option("", "--app", help="Bind the pack to one app (name, AppKey or id)."),
    as_json: bool = JSON,
) -> None:
    """Grant a pack without an order. It is valid for a year from now."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            app_id = (await find_app_paid_by(unit, only_app, owner)).id if only_app else None
            pack = await metering.grant_pack(unit, owner.id, capability, units, app_id=app_id)
            return {"PACK": pack.id, "UNITS": pack.total, "STARTS": pack.starts_at, "ENDS": pack.ends_at}

    print_fields(run(action), as_json=as_json)


@app.command("list")
def list_(account: str, capability: str = typer.Option("", help="Only this one."), as_json: bool = JSON) -> None:
    """List the packs of an account in order of purchase."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = await find_account(unit, account)
            now = await unit.checked_now()
            found = await metering.packs_of(unit.session, owner.parent_id or owner.id, capability or None)
        return [
            (
                pack.id,
                pack.capability,
                metering.pack_state(pack, now),
                pack.used,
                pack.total,
                pack.starts_at,
                pack.ends_at,
                pack.app_id,
            )
            for pack in found
        ]

    print_table(("id", "capability", "state", "used", "total", "starts", "ends", "app"), run(action), as_json=as_json)
