"""`inkgate worker`: pulls images from Redis and recognises them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from inkgate.service import settings as configuration
from inkgate.service.cli.announce import announce
from inkgate.service.composition.workers import serve_workers
from inkgate.service.telemetry import logs


def worker(
    processes: Annotated[
        int | None, typer.Option(help="Worker processes; 0 means one per core [default: 0].", min=0)
    ] = None,
) -> None:
    """Run worker processes over Redis until Ctrl-C; dead ones are started again."""
    settings = configuration.load()
    if processes is not None:
        given = {**settings.worker.model_dump(), "processes": processes}
        settings = configuration.load(**{**settings.model_dump(), "worker": given})
    logs.configure(
        settings.telemetry.log_level, settings.telemetry.log_format, secrets=configuration.secret_values(settings)
    )
    asyncio.run(serve_workers(settings, lambda url: announce("worker", url)))
