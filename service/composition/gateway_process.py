"""One of several gateway processes: `python -m inkgate.service.composition.gateway_process PARENT_PID CONTROL_FD
LISTEN_FD`, started by the supervisor of `gateways.py` only."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
from contextlib import AsyncExitStack
from functools import partial

from inkgate.service import settings as configuration
from inkgate.service.background import Background
from inkgate.service.broker import frames
from inkgate.service.composition import event_loop
from inkgate.service.composition.gateways import serve_gateway
from inkgate.service.errors import InkGateError
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.worker.control import Fatal, MetricsReport, Ready, encode
from inkgate.service.worker.process import die_with_parent

REPORT_SECONDS = 5.0


def main(argv: list[str]) -> int:
    """Read the settings and serve; returns the exit status."""
    parent, control_fd, listen_fd = (int(argument) for argument in argv)
    die_with_parent(parent)
    control = socket.socket(fileno=control_fd)
    frames.receive_frame(control)
    settings = configuration.load()
    logs.configure(
        settings.telemetry.log_level, settings.telemetry.log_format, secrets=configuration.secret_values(settings)
    )
    try:
        event_loop.run(_serve(settings, socket.socket(fileno=listen_fd), control))
    except InkGateError as error:
        frames.send_frame(control, encode(Fatal(str(error))))
        return 2
    return 0


async def _serve(settings: Settings, listener: socket.socket, control: socket.socket) -> None:
    async with AsyncExitStack() as stack:

        def ready(url: str, metrics: Metrics, background: Background) -> None:
            frames.send_frame(control, encode(Ready()))
            report = background.task("metrics-report", partial(report_metrics, metrics, control))
            stack.push_async_callback(report.close)
            report.start()

        await serve_gateway(settings, listener, ready)


async def report_metrics(metrics: Metrics, control: socket.socket) -> None:
    """Send the metrics to the supervisor every REPORT_SECONDS, so that one scrape covers all gateway processes.
    None is sent while the supervisor does not read: once the socket is full, sending would block the event loop."""
    room = select.poll()
    room.register(control, select.POLLOUT)
    while True:
        if room.poll(0):
            frames.send_frame(control, encode(MetricsReport(os.getpid(), metrics.snapshot())))
        await asyncio.sleep(REPORT_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
