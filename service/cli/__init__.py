"""The `inkgate` command. One file per noun, each with a Typer app, gathered here.

Every error is one plain line on stderr with the remedy; exit status 2 for misuse and bad settings, 1 for failure.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from service import __version__
from service.cli import account, apps, migrate, pack
from service.errors import ConfigurationError, InkGateError, Misuse

app = typer.Typer(
    name="inkgate",
    help="InkGate 印刷文字识别: a self-hosted drop-in for the public OCR endpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"inkgate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Options that stand before the command."""


app.add_typer(account.app, name="account")
app.add_typer(apps.app, name="app")
app.add_typer(pack.app, name="pack")
app.command("migrate")(migrate.migrate)


def main() -> None:
    """Run a command; turn our own errors into one line."""
    try:
        app()
    except InkGateError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]inkgate:[/red] {error}")
        sys.exit(2 if isinstance(error, ConfigurationError | Misuse) else 1)
