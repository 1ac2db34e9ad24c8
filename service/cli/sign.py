"""`inkgate sign`: a signed curl command for a request body."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.eop.signing import call_headers
from inkgate.service.errors import Misuse


def sign_body(
    body: Annotated[Path, typer.Argument(help="The JSON body as it will be sent, byte for byte.")],
    ak: Annotated[str, typer.Option(envvar="AK", help="Access key id.")],
    sk: Annotated[str, typer.Option(envvar="SK", help="Secret key.")],
    appkey: Annotated[str, typer.Option(envvar="APPKEY", help="The app's AppKey.")],
    capability: Annotated[str, typer.Option(help=f"One of {', '.join(CAPABILITIES)}.")] = DEFAULT,
    base_url: Annotated[
        str, typer.Option(envvar="BASE_URL", help="Where the service listens.")
    ] = "http://127.0.0.1:8080",
) -> None:
    """Print a curl command that sends BODY, signed now (valid 15 minutes)."""
    if not body.is_file():
        raise Misuse("command.file_not_found", paths=str(body))
    if capability not in CAPABILITIES:
        raise Misuse("command.capability_unknown", capability=capability, choices=tuple(CAPABILITIES))
    headers = call_headers(ak, sk.encode(), appkey, body.read_bytes())
    options = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    url = base_url.rstrip("/") + CAPABILITIES[capability].paths[0]
    typer.echo(f"curl -sS -X POST {shlex.quote(url)} {options} --data-binary @{shlex.quote(str(body))}")
