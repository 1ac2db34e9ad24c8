"""`inkgate console`: the pages for customers and operators, in a process of their own."""

from __future__ import annotations

import asyncio

from inkgate.service import settings as knobs
from inkgate.service.cli.ready import announce
from inkgate.service.composition.console import serve_console
from inkgate.service.telemetry import logs


def console() -> None:
    """Serve the console until Ctrl-C; gateways run elsewhere (INKGATE_CONSOLE__GATEWAY_URL)."""
    settings = knobs.load()
    logs.configure(settings.telemetry.log_level, settings.telemetry.log_format, secrets=knobs.secret_values(settings))
    asyncio.run(serve_console(settings, lambda url: announce("console", url)))
