"""Opens connections to the cloud: directly or through an HTTP proxy, with or without TLS."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from inkgate.service.settings import Takeover

_MAX_PROXY_HEAD_BYTES = 16 * 1024
_PROXY_PORT = 8080
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect. `name` is checked against the certificate, `host` and `port` are connected to, through the
    proxy if there is one. `credentials` are "USER:PASSWORD" or ""."""

    host: str
    port: int
    name: str
    tls: ssl.SSLContext | None = None
    proxy: tuple[str, int] | None = None
    credentials: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Takeover, tls: ssl.SSLContext | None) -> Endpoint:
        """The endpoint that valid settings name."""
        url = urlsplit(settings.url)
        name = url.hostname or ""
        address = urlsplit(f"//{settings.address}")
        port = address.port or url.port or _PORTS[url.scheme]
        proxy, credentials = None, ""
        if settings.proxy_url:
            parts = urlsplit(settings.proxy_url)
            proxy = (parts.hostname or "", parts.port or _PROXY_PORT)
            credentials = ":".join(unquote(part) for part in (parts.username, parts.password) if part is not None)
        return cls(address.hostname or name, port, name, tls, proxy, credentials)


async def open_connection(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the endpoint. Raises OSError (ssl.SSLError among them), EOFError; cancelling closes it."""
    if endpoint.proxy is None:
        name = endpoint.name if endpoint.tls else None
        opened = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=endpoint.tls, server_hostname=name)
    else:
        opened = await _through_proxy(endpoint, endpoint.proxy)
    sock: socket.socket | None = opened[1].get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


async def _through_proxy(
    endpoint: Endpoint, proxy: tuple[str, int]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*proxy)
    try:
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        lines = [f"CONNECT {host}:{endpoint.port} HTTP/1.1", f"Host: {host}:{endpoint.port}"]
        if endpoint.credentials:
            basic = base64.b64encode(endpoint.credentials.encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {basic}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise ConnectionError("the proxy's answer is too long") from None
        if len(head) > _MAX_PROXY_HEAD_BYTES or not re.match(rb"HTTP/1\.[01] 2\d\d\b", head):
            raise ConnectionRefusedError(f"the proxy answers {head[:60]!r}")
        if endpoint.tls is not None:
            await writer.start_tls(endpoint.tls, server_hostname=endpoint.name)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer
