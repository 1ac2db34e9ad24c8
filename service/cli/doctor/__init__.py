"""`inkgate doctor`: checks a service before or during operation and names a remedy per problem."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from inkgate.service import settings as configuration
from inkgate.service.accounts import rules
from inkgate.service.cli.doctor import gateway, stores, takeover
from inkgate.service.cli.doctor import host as machine
from inkgate.service.cli.doctor.finding import Finding
from inkgate.service.errors import Misuse
from inkgate.service.settings import Settings, mask, secret_values

_TIMEOUT_SECONDS = 15.0  # per check; a firewall that drops packets must not delay the others

Check = Callable[[Settings], Coroutine[Any, Any, list[Finding]]]


def doctor(
    url: Annotated[
        str, typer.Option("--gateway", help="The gateway's address as clients use it [default: as the settings say].")
    ] = "",
    is_takeover: Annotated[
        bool,
        typer.Option("--takeover", help="Check instead whether clients of the cloud reach this service unchanged."),
    ] = False,
    host: Annotated[
        str, typer.Option(help="With --takeover: the host name that clients call, with :PORT if it is not 443.")
    ] = takeover.CLOUD_HOST,
    address: Annotated[
        list[str], typer.Option(help="With --takeover: an address that the name must lead to; repeat it for several.")
    ] = [],  # noqa: B006
    ca: Annotated[
        Path | None, typer.Option(help="With --takeover: PEM file of the authority that clients trust.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check models, stores, schema, workers, queue, clocks, certificates, disk and the gateway; exit status 1 when
    something needs doing."""
    settings = configuration.load()
    if is_takeover:
        target = _target(host, address, ca)
        _report(settings, [("takeover", lambda known: takeover.examine(known, target))], as_json)
        return
    checks: list[tuple[str, Check]] = [
        ("models", machine.models),
        ("bfloat16", machine.bfloat16),
        ("database", stores.database),
        ("master key", stores.master_key),
        ("queue", stores.queue),
        ("gateway", lambda known: gateway.examine(known, url)),
        ("certificates", machine.certificates),
        ("disk", machine.disk),
        ("limits", machine.limits),
        ("time zone", machine.time_zone),
    ]
    _report(settings, checks, as_json)


def _target(host: str, addresses: Sequence[str], ca: Path | None) -> takeover.Target:
    """What --host, --address and --ca name. Raises Misuse."""
    name, _, port = host.partition(":")
    if not name or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise Misuse("command.host_invalid", host=host)
    expected = rules.networks(addresses)
    if any(not each.endswith(("/32", "/128")) for each in expected):
        raise Misuse("command.address_invalid")
    if ca is not None and not ca.is_file():
        raise Misuse("command.file_not_found", paths=(str(ca),))
    try:
        ssl.create_default_context(cafile=str(ca) if ca else None)
    except (ssl.SSLError, OSError):
        raise Misuse("command.ca_invalid", path=str(ca)) from None
    return takeover.Target(name, int(port or 443), tuple(each.partition("/")[0] for each in expected), ca)


def _report(settings: Settings, checks: list[tuple[str, Check]], as_json: bool) -> None:
    """Run the checks and print their findings; exit status 1 when something needs doing."""
    known = secret_values(settings)
    findings = [_masked(finding, known) for finding in asyncio.run(_examine(settings, checks))]
    if as_json:
        print(json.dumps([_plain(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        _print(findings)
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


async def _examine(settings: Settings, checks: list[tuple[str, Check]]) -> list[Finding]:
    found = await asyncio.gather(*(_one(name, check, settings) for name, check in checks))
    return [finding for findings in found for finding in findings]


async def _one(name: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        return await asyncio.wait_for(check(settings), _TIMEOUT_SECONDS)
    except TimeoutError:
        return [Finding(name, f"no answer within {_TIMEOUT_SECONDS:g} s", "Is a firewall between here and there?")]


def _masked(finding: Finding, known: Sequence[str]) -> Finding:
    """The finding with secrets masked; the error text of a driver may contain one."""
    return dataclasses.replace(finding, found=mask(finding.found, known), remedy=mask(finding.remedy, known))


def _plain(finding: Finding) -> dict[str, object]:
    return {**dataclasses.asdict(finding), "ok": not finding.remedy}


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, padding=(0, 2), show_header=False)
    for each in findings:
        mark = "[red]✗[/red]" if each.remedy else "[green]✓[/green]"
        table.add_row(mark, each.what, each.found + (f"\n[bold]→ {each.remedy}[/bold]" if each.remedy else ""))
    Console(highlight=False).print(table)
