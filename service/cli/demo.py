"""`inkgate demo`: a temporary service and the results of its samples."""

from __future__ import annotations

import base64
import json
import shlex
import signal
import socket
import sys
import threading
import time
import urllib.request
from os import getpid, kill
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from inkgate.service.cli.sandbox import run_sandbox
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys

_DEFAULT_PORT = 8080
_SECONDS = 60  # per sample


def demo(
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 8080, or a free one].")] = None,
    once: Annotated[bool, typer.Option(help="Stop after the answers instead of serving on.")] = False,
) -> None:
    """Start a throw-away service, send it a signed image for each capability, and leave it running until Ctrl-C."""
    screen = Console(highlight=False)
    failed: list[str] = []
    status = screen.status("starting: database, gateway, workers, models …")
    status.start()

    def ready(base_url: str, keys: Keys) -> None:
        # The service runs on the event loop of this thread, so the client needs a thread of its own.
        threading.Thread(target=_run_samples, args=(screen, status, base_url, keys, failed, once), daemon=True).start()

    try:
        run_sandbox(ready, qps=10.0, refused=False, port=_free_port() if port is None else port)
    finally:
        status.stop()
    if failed:
        raise typer.Exit(1)


def _run_samples(screen: Console, status: Status, base_url: str, keys: Keys, failed: list[str], once: bool) -> None:
    for capability in CAPABILITIES.values():
        status.update(f"reading the {capability.name} sample …")
        try:
            answer, seconds = _call(base_url, keys, capability)
            _show(screen, capability, answer, seconds)
        except (OSError, KeyError, ValueError) as error:
            failed.append(capability.name)
            screen.print(f"[red]{capability.title} failed:[/red] {error}")
    status.stop()
    _print_keys(screen, base_url, keys)
    if once:
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
        f"[bold]Pages[/bold]  reference {base_url}/docs   metrics {base_url}/metrics   console {base_url}/console",
        "[green]Running.[/green] Ctrl-C stops it.",
    )
    screen.print()
    for line in lines:
        screen.print(line, soft_wrap=True)
