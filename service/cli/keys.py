"""`inkgate keys …`: the master key that encrypts stored secrets."""

from __future__ import annotations

import base64

import typer

from inkgate.service import settings as configuration
from inkgate.service.accounts import rotation
from inkgate.service.accounts import vault as vaults
from inkgate.service.cli._common import CommandContext, run
from inkgate.service.errors import Misuse

app = typer.Typer(help="The master key that seals stored secrets.", no_args_is_help=True)


@app.command()
def new() -> None:
    """Print a fresh master key."""
    typer.echo(base64.b64encode(vaults.new_key()).decode())


@app.command()
def add() -> None:
    """Put a fresh key first in the key file; older ones go on opening. Restart all, then run `inkgate keys reseal`."""
    settings = configuration.load()
    path = vaults.key_file(settings.security, settings.database)
    if path is None:
        raise Misuse("command.master_key_add_by_hand")
    held = vaults.read(path) if path.exists() else []
    vaults.write(path, [vaults.new_key(), *held])
    typer.echo(f"{path}: {len(held) + 1} keys")


@app.command()
def reseal(
    drop: bool = typer.Option(False, "--drop-old", help="Then remove the older keys from the key file."),
) -> None:
    """Seal every stored secret under the first key, with INKGATE_SECURITY__CIPHER; may be repeated after a break."""

    async def action(context: CommandContext) -> int:
        return await rotation.reseal(context.begin, await context.vault())

    typer.echo(f"{run(action)} secrets sealed again")
    if not drop:
        return
    settings = configuration.load()
    path = vaults.key_file(settings.security, settings.database)
    if path is None:
        raise Misuse("command.master_key_drop_by_hand")
    vaults.write(path, vaults.read(path)[:1])
