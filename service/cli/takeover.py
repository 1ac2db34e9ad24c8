"""`inkgate takeover …`: where the calls of apps are answered while they move here from the cloud."""

from __future__ import annotations

from typing import Annotated

import typer

from inkgate.service.cli._common import OWNER, CommandContext, find_app, format_value, print_fields, print_table, run
from inkgate.service.cli.takeover_report import report
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import Misuse
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode, Override, Overview

app = typer.Typer(help="Takeover 接管: mirror, switch gradually, compare.", no_args_is_help=True)
app.command()(report)
JSON = typer.Option(False, "--json", help="Print JSON.")
ALL = "all"
COLUMNS = ("app", "account", "appkey", "capability", "mode", "here", "changed")

AppName = Annotated[str, typer.Argument(help="App (name, AppKey or id).")]
CapabilityName = Annotated[str, typer.Argument(help=f"{', '.join(CAPABILITIES)}; `{ALL}`: all it has opened.")]


@app.command()
def route(
    name: AppName,
    capability: CapabilityName,
    mode: Annotated[
        str,
        typer.Argument(help="mirror: the cloud answers, a copy is read here; split: a share here; local: here."),
    ],
    percent: Annotated[str, typer.Argument(help="Of a split: the share answered here, 0 to 100.")] = "",
    account: str = OWNER,
) -> None:
    """Say where the calls of an app are answered. Every gateway follows within seconds."""
    chosen, share = _mode(mode), _percent(percent)

    async def action(context: CommandContext) -> list[str]:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            names = await routes.opened(unit, found.id) if capability == ALL else [capability]
            for each in names:
                enabled = context.settings.takeover.enabled
                await routes.set_route(unit, found.id, each, chosen, percent=share, enabled=enabled)
            return names

    for each in run(action):
        typer.echo(f"{name} {each}: {chosen.value}" + (f", {share}% here" if share is not None else ""))


@app.command()
def forget(name: AppName, capability: CapabilityName, account: str = OWNER) -> None:
    """Remove a route: the app's calls are answered here, whatever `off` says. For apps that never were in the cloud."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            names = await routes.routed(unit, found.id) if capability == ALL else [capability]
            for each in names:
                await routes.remove_route(unit, found.id, each)

    run(action)


@app.command()
def status(as_json: bool = JSON) -> None:
    """Show the switch and every route."""

    async def action(context: CommandContext) -> Overview:
        async with context.begin() as unit:
            return await routes.overview(unit.session, enabled=context.settings.takeover.enabled)

    found = run(action)
    rows = [
        (each.app_name, each.account_name, each.appkey, each.capability, each.mode.value, each.percent, each.changed_at)
        for each in found.routes
    ]
    if as_json:
        listed = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        facts = {"enabled": found.enabled, "off": found.override.value, "version": found.version, "routes": listed}
        print_fields(facts, as_json=True)
        return
    if not found.enabled:
        typer.echo("INKGATE_TAKEOVER__URL is empty here: gateways with these settings answer every call themselves.")
    if found.override is not Override.NONE:
        typer.echo(f"OFF: all routes below are overridden, every call of these apps goes to: {found.override.value}")
    print_table(COLUMNS, [(*row[:5], f"{row[5]}%", format_value(row[6])) for row in rows], as_json=False)


@app.command()
def off(
    target: Annotated[
        str, typer.Argument(help="local: all routed apps are answered here; cloud: all by the cloud; none: as routed.")
    ],
) -> None:
    """Override all routes at once: the switch for emergencies. `none` ends it; the routes themselves stay."""
    chosen = _override(target)

    async def action(context: CommandContext) -> None:
        if chosen is Override.CLOUD and not context.settings.takeover.enabled:
            raise Misuse("takeover.disabled")
        async with context.begin() as unit:
            await routes.set_override(unit, chosen)

    run(action)


def _mode(text: str) -> Mode:
    """Raises Misuse."""
    if text not in set(Mode):
        raise Misuse("takeover.mode_unknown", mode=text, choices=tuple(each.value for each in Mode))
    return Mode(text)


def _override(text: str) -> Override:
    """Raises Misuse."""
    named = {each.value or "none": each for each in Override}
    if text not in named:
        raise Misuse("takeover.target_unknown", target=text, choices=tuple(named))
    return named[text]


def _percent(text: str) -> int | None:
    """A share as people write it, "10" or "10%"; None for no text. Raises Misuse."""
    digits = text.strip().removesuffix("%")
    if not text:
        return None
    if not (digits.isascii() and digits.isdecimal()):
        raise Misuse("takeover.percent_invalid")
    return int(digits[:4])
