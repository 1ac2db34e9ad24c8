"""The uvicorn server of gateways and console."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from inkgate.service.composition.lifecycle import cancel_and_wait, stop_signals
from inkgate.service.errors import ConfigurationError
from inkgate.service.gateway.descriptors import connections_allowed
from inkgate.service.gateway.protocol import LimitedHttpProtocol, limited_protocol
from inkgate.service.gateway.raw_head import RawHeadProtocol
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health

KEEP_ALIVE_SECONDS = 75  # time-out of idle connections
DRAIN_MARGIN_SECONDS = 5  # added to the deadline of calls in progress at shutdown


class GatewayServer(uvicorn.Server):
    """A uvicorn server that is not ready from the shutdown signal on, so that load balancers stop routing to it."""

    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health
        self._listening = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; valid once started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return host, port

    @property
    def url(self) -> str:
        """The base URL; valid once started."""
        host, port = self.address
        return f"http://{host}:{port}"

    @property
    def listening(self) -> bool:
        """Whether the start is complete."""
        return self._listening.is_set()

    async def wait_listening(self) -> None:
        """Wait until connections are accepted. Never returns when the start fails: await `serve` as well."""
        await self._listening.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server. In addition, a failed start closes what it has opened."""
        try:
            await super().startup(sockets)
        except BaseException:
            for server in getattr(self, "servers", ()):
                server.close()
            startup_event = getattr(self.lifespan, "startup_event", None)
            if startup_event is not None and startup_event.is_set():  # otherwise shutdown() would wait forever
                await self.lifespan.shutdown()
            raise
        self._listening.set()

    def stop(self) -> None:
        """Turn unready and drain. At the second call, close without waiting for connections."""
        self._health.mark_draining()
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn.Server. Its own implementation raises the signal again after the shutdown, which would end the
        process before the workers are drained and the ledger is closed."""
        with stop_signals(self.stop):
            yield


def build_server(settings: Settings, app: FastAPI, health: Health) -> GatewayServer:
    """The server for `app`, not started."""
    protocol = RawHeadProtocol if settings.takeover.enabled else LimitedHttpProtocol
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # trusted proxies are handled by service/client_ip.py
        http=limited_protocol(connections_allowed(), protocol),  # type: ignore[arg-type]  # any callable
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.limits.deadline) + DRAIN_MARGIN_SECONDS,
    )
    return GatewayServer(config, health)


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises ConfigurationError when it cannot be bound, e.g. because the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only for sockets with an explicit protocol. With it, every answer but the first
    # on a connection waits 40 ms for the client's delayed acknowledgement.
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
    """Serve on `listener` until a shutdown signal, then close it. `announce` runs concurrently; its exception ends the
    server.

    On cancellation or when `announce` fails, a listening server is drained; one that does not listen yet is cancelled.
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
            await cancel_and_wait(announcing)
            if not server.listening:
                serving.cancel()
            await asyncio.wait({serving})
