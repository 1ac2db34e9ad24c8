"""The web server of gateways and console: uvicorn, started and stopped as part of a composition."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from inkgate.service.composition.lifecycle import cancelled, stop_signals
from inkgate.service.errors import ConfigurationError
from inkgate.service.gateway.descriptors import connections_allowed
from inkgate.service.gateway.protocol import limited_protocol
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health

KEEP_ALIVE_SECONDS = 75  # an idle connection is kept open for so long
DRAIN_MARGIN_SECONDS = 5  # calls in work at the end have their deadline and this


class GatewayServer(uvicorn.Server):
    """uvicorn that turns unready at a shutdown signal, so that a load balancer looks elsewhere."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health
        self._listening = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The base URL, once started."""
        host, port = self.address
        return f"http://{host}:{port}"

    @property
    def listening(self) -> bool:
        """Whether it has been started completely."""
        return self._listening.is_set()

    async def wait_listening(self) -> None:
        """Wait until connections are accepted. A server that fails to start never gets there: await it as well."""
        await self._listening.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server. What a start that fails has opened is closed, which uvicorn leaves open."""
        try:
            await super().startup(sockets)
        except BaseException:
            for server in getattr(self, "servers", ()):
                server.close()
            begun = getattr(self.lifespan, "startup_event", None)
            if begun is not None and begun.is_set():  # otherwise the shutdown would never be answered
                await self.lifespan.shutdown()
            raise
        self._listening.set()

    def stop(self) -> None:
        """Turn unready and drain; at the second call, wait for no connection any more."""
        self._health.mark_draining()
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn.Server, whose own would raise the signal again after the server's shutdown, and end the process
        before the workers are drained and the ledger is closed."""
        with stop_signals(self.stop):
            yield


def server_for(settings: Settings, app: FastAPI, health: Health) -> GatewayServer:
    """The server of `app`, not started."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who is believed is ours to say: service/client_ip.py
        http=limited_protocol(connections_allowed()),
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.limits.deadline) + DRAIN_MARGIN_SECONDS,
    )
    return GatewayServer(config, health)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port in use is one plain line and port 0 has a number at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio switches Nagle's algorithm off only where the protocol is: with it, every answer but the
    # first on a connection waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            "INKGATE_SERVER__PORT", f"cannot listen on {host}:{port} ({error.strerror})", "Choose another with --port."
        ) from None
    return listener


async def serve(server: GatewayServer, listener: socket.socket, announce: Callable[[], Awaitable[None]]) -> None:
    """Serve on `listener` until a shutdown signal, and close it. `announce` runs beside; what it raises ends the
    server.

    Cancelled, or after `announce` has failed, a server that listens is drained and one that does not yet is cancelled.
    """
    with listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        announcing = asyncio.ensure_future(announce())
        try:
            await asyncio.wait({serving, announcing}, return_when=asyncio.FIRST_COMPLETED)
            if announcing.done():
                announcing.result()
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await cancelled(announcing)
            if not server.listening:
                serving.cancel()
            await asyncio.wait({serving})
