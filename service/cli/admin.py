"""`inkgate admin …`: tokens of the admin API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from inkgate.service.admin import repository, tokens
from inkgate.service.cli._common import JSON, CommandContext, print_table, run
from inkgate.service.db import work

app = typer.Typer(help="Tokens of the admin API (/admin/v1).", no_args_is_help=True)


@app.command("token-create")
def token_create(
    name: str,
    scope: Annotated[
        list[str],
        typer.Option(
            help="May be given several times: "
            + ", ".join(tokens.SCOPES)
            + "; or single permissions of docs/reference/permissions.md."
        ),
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Valid for so many days; without it for ever.")
    ] = None,
) -> None:
    """Create a token. It is shown this once."""

    async def action(context: CommandContext) -> str:
        async with context.begin() as unit:
            valid = None if days is None else timedelta(days=days)
            separate = context.settings.access.separate_duties
            return await tokens.create_token(unit, name, scope, valid=valid, separate=separate)

    typer.echo(run(action))


@app.command("token-disable")
def token_disable(name: str) -> None:
    """Stop a token at once."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await tokens.disable_token(unit, name)

    run(action)


@app.command("token-list")
def token_list(as_json: bool = JSON) -> None:
    """List tokens without their values."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with work.read_session(context.engine) as session:
            found = await repository.tokens(session)
        return [(row.name, row.scopes, row.created_at, row.ends_at, row.disabled_at) for row in found]

    print_table(("name", "scopes", "created", "ends", "disabled"), run(action), as_json=as_json)
