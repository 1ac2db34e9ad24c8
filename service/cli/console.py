"""`inkgate console`: the web console in a process of its own."""

from __future__ import annotations

import asyncio

from inkgate.service import settings as configuration
from inkgate.service.cli.announce import announce
from inkgate.service.composition.console import serve_console
from inkgate.service.telemetry import logs


def console() -> None:
    """Serve the console until Ctrl-C; gateways run elsewhere (INKGATE_CONSOLE__GATEWAY_URL)."""
    settings = configuration.load()
    logs.configure(
        settings.telemetry.log_level, settings.telemetry.log_format, secrets=configuration.secret_values(settings)
    )
    asyncio.run(serve_console(settings, lambda url: announce("console", url)))
