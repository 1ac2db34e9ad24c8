"""Serves the application of `tests.gateway` on a real socket, optionally behind the shipped nginx configuration."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from fastapi import FastAPI

from inkgate.service.composition.web import build_server, listen
from inkgate.service.settings import Settings
from inkgate.service.telemetry.health import Health
from tests.valkey import free_port

NGINX = Path(__file__).parents[1] / "deploy" / "nginx"


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """`app` behind the product's own server; the port."""
    server = build_server(Settings(), app, Health())
    listener = listen("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.address[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


@contextlib.contextmanager
def nginx(folder: Path, gateway_port: int) -> Iterator[int]:
    """nginx with the shipped configuration, but for addresses and TLS, in front of a gateway; the port."""
    port = free_port()
    text = (NGINX / "nginx.conf").read_text()
    for old, new in (
        ("/tmp/", f"{folder}/"),
        ("gateway:8080 resolve", f"127.0.0.1:{gateway_port}"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{port}"),
        ("console:8090 resolve", f"127.0.0.1:{gateway_port}"),
        ("/etc/nginx/calls.conf", str(NGINX / "calls.conf")),
        ("/etc/nginx/console.conf", str(NGINX / "console.conf")),
        ("worker_processes auto", "worker_processes 1"),
        ("        http2 on;\n", ""),  # of nginx 1.25, and only over TLS
    ):
        assert old in text, old
        text = text.replace(old, new)
    kept = [line for line in text.splitlines() if not line.strip().startswith("ssl_")]
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"daemon off;\n{user}" + "\n".join(kept))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")])
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None and time.monotonic() < deadline, "nginx does not start"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def head(method: str, target: str | bytes, headers: Sequence[tuple[str, str | bytes]]) -> bytes:
    """A request's head, each header as given: repeats, order and bytes as they are (text goes as UTF-8)."""
    raw = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + raw + b" HTTP/1.1"]
    lines += [name.encode() + b": " + (v.encode() if isinstance(v, str) else v) for name, v in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send one request over a connection of its own; status and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            top = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        return int(top.split(b" ")[1]), body
    finally:
        writer.close()
