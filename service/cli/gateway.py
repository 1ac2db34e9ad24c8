"""`inkgate gateway`: answers calls; workers read the images, which they receive through Redis."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from inkgate.service.cli.announce import announce
from inkgate.service.cli.serve import Host, Port, settings_with_overrides
from inkgate.service.composition import event_loop
from inkgate.service.composition.gateways import serve_gateway, supervise_gateways
from inkgate.service.composition.web import listen
from inkgate.service.settings import secret_values
from inkgate.service.telemetry import logs


def gateway(
    host: Host = None,
    port: Port = None,
    workers: Annotated[int, typer.Option(help="Gateway processes that share the port.", min=1)] = 1,
) -> None:
    """Run a gateway over Redis and the database until Ctrl-C; `inkgate worker` reads the images."""
    settings = settings_with_overrides(host=host, port=port)
    logs.configure(settings.telemetry.log_level, settings.telemetry.log_format, secrets=secret_values(settings))

    def ready(url: str, *_: object) -> None:
        announce("gateway", url)

    if workers == 1:
        listener = listen(settings.server.host, settings.server.port)
        event_loop.run(serve_gateway(settings, listener, ready))
    else:
        asyncio.run(supervise_gateways(settings, workers, ready))
