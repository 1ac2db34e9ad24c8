"""`inkgate demo`: a temporary service with example data, its console signed in, and the results of its samples."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import getpid, kill
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from inkgate.service import demo as example
from inkgate.service import settings as configuration
from inkgate.service.accounts import vault as vaults
from inkgate.service.cli.sandbox import temporary
from inkgate.service.cli.serve import settings_with_overrides
from inkgate.service.composition import event_loop
from inkgate.service.composition.embedded import serve_embedded
from inkgate.service.console import DemoLinks
from inkgate.service.console.demo_links import VALID_SECONDS
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.demo.callers import regions
from inkgate.service.demo.customers import CUSTOMER, MAIN, OPERATOR
from inkgate.service.demo.seed import DAYS, RETENTION_DAYS
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs

_DEFAULT_PORT = 8080
_LOOPBACK = "127.0.0.1"
_SECONDS = 60  # per sample
_ROLES = {CUSTOMER: f"customer {MAIN}", OPERATOR: "operator"}


def demo(
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 8080, or a free one].")] = None,
    once: Annotated[bool, typer.Option(help="Stop after the answers instead of serving on.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the console in a browser, signed in.")] = False,
) -> None:
    """Start a throw-away service with example data, send it a signed image for each capability, print links that sign
    in to its console, and leave it running until Ctrl-C."""
    screen = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="inkgate-") as name, screen.status("creating the database …") as status:
        settings = _settings(Path(name), _free_port() if port is None else port)
        logs.configure("warning", "text")
        migrate.upgrade(settings.database.url)
        begun = time.perf_counter()
        made = asyncio.run(_fill(settings, lambda step: status.update(f"{DAYS} days of example data: {step} …")))
        screen.print(f"[dim]{DAYS} days of example data in {time.perf_counter() - begun:.1f} s[/dim]")
        status.update("loading models and starting workers …")
        visit = _Visit(screen, status, made, DemoLinks(), once, open_browser)
        event_loop.run(serve_embedded(settings, visit.start, demo_links=visit.links))
    if visit.failed:
        raise typer.Exit(1)


def _settings(folder: Path, port: int) -> Settings:
    """Settings for a service on loopback in `folder`, with those that the example data need."""
    settings = temporary(folder, settings_with_overrides(port=port, host=_LOOPBACK))
    return configuration.load(
        **{
            **settings.model_dump(),
            "ledger": {**settings.ledger.model_dump(), "retention_days": RETENTION_DAYS},
            "telemetry": {**settings.telemetry.model_dump(), "log_level": "warning", "log_format": "text"},
            "console": {**settings.console.model_dump(), "enabled": True, "regions": regions(folder)},
        }
    )


async def _fill(settings: Settings, progress: Callable[[str], None]) -> example.Demo:
    async with databases.opened(settings.database) as engine:
        vault = vaults.load(settings.security, settings.database)
        return await example.seed(engine, vault, datetime.now(UTC), progress=progress)


@dataclass(slots=True)
class _Visit:
    """What happens once the service is ready: the samples, then keys and links on the screen."""

    screen: Console
    status: Status
    made: example.Demo
    links: DemoLinks
    once: bool
    open_browser: bool
    failed: list[str] = field(default_factory=list)

    def start(self, base_url: str) -> None:
        # The service runs on the event loop of this thread, so the client needs a thread of its own.
        threading.Thread(target=self._run, args=(base_url,), daemon=True).start()

    def _run(self, base_url: str) -> None:
        keys = Keys(self.made.ak, self.made.sk, self.made.appkey, self.made.enckey)
        for capability in CAPABILITIES.values():
            self.status.update(f"reading the {capability.name} sample …")
            try:
                answer, seconds = _call(base_url, keys, capability)
                _show(self.screen, capability, answer, seconds)
            except (OSError, KeyError, ValueError) as error:
                self.failed.append(capability.name)
                self.screen.print(f"[red]{capability.title} failed:[/red] {error}")
        self.status.stop()
        links = {login: f"{base_url}/console{self.links.issue(login)}" for login in _ROLES}
        _print_keys(self.screen, base_url, keys)
        _print_links(self.screen, base_url, self.made, links)
        if self.open_browser:
            webbrowser.open(f"{base_url}/console{self.links.issue(CUSTOMER)}")
        if self.once:
            kill(getpid(), signal.SIGTERM)


def _call(base_url: str, keys: Keys, capability: Capability) -> tuple[dict[str, Any], float]:
    """One signed call with the sample of the capability; returns the answer and the seconds."""
    image = base64.b64encode(capability.sample.read_bytes()).decode()
    body = json.dumps(capability.request([image])).encode()
    headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, body)
    request = urllib.request.Request(base_url + capability.paths[0], body, headers)  # noqa: S310 - our own address
    start = time.perf_counter()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_SECONDS) as response:
        return json.load(response), time.perf_counter() - start


def _show(screen: Console, capability: Capability, answer: dict[str, Any], seconds: float) -> None:
    screen.print(f"\n[bold]{capability.title}[/bold]  [dim]{capability.name}, {seconds:.2f} s[/dim]")
    found = answer["returnObj"]
    element = found if capability.single else found[0]
    view = capability.view(element)
    for mark in view.marks:
        screen.print(f"  {mark.line(confidence='')}", markup=False)
    if view.fields:
        table = Table.grid(padding=(0, 2))
        for name, value in view.fields:
            if value:
                table.add_row(f"  [dim]{name}[/dim]", value)
        screen.print(table)


def _free_port() -> int:
    """The default port, or 0 (any free one) if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _DEFAULT_PORT))
        except OSError:
            return 0
    return _DEFAULT_PORT


def _print_keys(screen: Console, base_url: str, keys: Keys) -> None:
    command = shlex.quote(sys.argv[0])
    lines = (
        "[bold]Keys of this demo[/bold]  [dim]gone when it stops; copy them into another terminal[/dim]",
        *(f"  export {line}" for line in keys.lines(base_url)),
        "",
        "[bold]Your first call[/bold]",
        """  printf '{"data": ["%s"]}' "$(base64 -w0 image.jpg)" > body.json""",
        f"  {command} sign body.json | sh",
        "",
        f"[bold]Pages[/bold]  reference {base_url}/docs   metrics {base_url}/metrics",
    )
    screen.print()
    for line in lines:
        screen.print(line, soft_wrap=True)


def _print_links(screen: Console, base_url: str, made: example.Demo, links: dict[str, str]) -> None:
    minutes = VALID_SECONDS // 60
    screen.print(
        f"\n[bold]Console[/bold]  [dim]each link signs in once, within {minutes} minutes, on this machine; "
        f"afterwards {base_url}/console with the password[/dim]"
    )
    for login, link in links.items():
        screen.print(f"  {_ROLES[login]}", soft_wrap=True)
        screen.print(f"    {link}", soft_wrap=True)
        screen.print(f"    user {login}   password {made.passwords[login]}", soft_wrap=True)
    screen.print("[green]Running.[/green] Ctrl-C stops it.")
