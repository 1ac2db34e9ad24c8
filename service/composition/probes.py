"""The port for health and metrics of a supervisor, and what its readiness asks of the children."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from inkgate.service.background import Background
from inkgate.service.errors import BrokerUnavailable, ConfigurationError
from inkgate.service.settings import Server, Worker
from inkgate.service.telemetry.health import Check, Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer
from inkgate.service.worker.supervisor import Supervisor


def serve_probes(
    stack: AsyncExitStack, settings: Server | Worker, health: Health, metrics: Metrics, background: Background
) -> str:
    """Serve health and metrics on the settings' health_host and health_port until `stack` is closed; the base URL.

    Raises ConfigurationError when it cannot listen there.
    """
    host, port = settings.health_host, settings.health_port
    try:
        server = ProbeServer(health, metrics, host, port, background)
    except OSError as error:
        raise ConfigurationError(
            f"INKGATE_{type(settings).__name__.upper()}__HEALTH_PORT",
            f"cannot listen on {host}:{port} ({error.strerror})",
            "Choose another port.",
        ) from None
    stack.push_async_callback(asyncio.to_thread, server.close)
    server.start()
    return f"http://{host}:{server.port}"


def some_ready(supervisor: Supervisor, otherwise: str) -> Check:
    """Raises BrokerUnavailable, with `otherwise` as its text, while no child of the supervisor is ready."""

    async def check() -> None:
        if not supervisor.ready:
            raise BrokerUnavailable(otherwise)

    return check
