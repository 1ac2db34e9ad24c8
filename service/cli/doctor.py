"""`inkgate doctor`: look at everything a service needs and say what to do about what is missing."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from service import settings as knobs
from service.db import engine as databases
from service.db import migrate
from service.errors import InkGateError
from service.settings import Settings

_SKEW = 60.0  # seconds the database's clock may differ before signatures come near their window
_FILES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is empty when all is well."""

    what: str
    found: str
    remedy: str = ""


def doctor() -> None:
    """Check settings, models, database, queue, clock and limits; exit status 1 when something needs doing."""
    settings = knobs.load()
    findings = [
        _models(settings),
        asyncio.run(_database(settings)),
        asyncio.run(_queue(settings)),
        _files(),
        _port(settings),
    ]
    table = Table(box=None, padding=(0, 2), show_header=False)
    for finding in findings:
        mark = "[red]✗[/red]" if finding.remedy else "[green]✓[/green]"
        table.add_row(
            mark, finding.what, finding.found + (f"\n[bold]→ {finding.remedy}[/bold]" if finding.remedy else "")
        )
    Console(highlight=False).print(table)
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


def _models(settings: Settings) -> Finding:
    from engines.errors import EngineError
    from engines.registry import open_reader

    engine = settings.engine
    start = time.perf_counter()
    try:
        reader = open_reader(engine.runtime, engine.profile, engine.threads, engine.model_dir, engine.max_pixels)
    except (EngineError, ValueError) as error:
        return Finding("models", str(error), "Run `inkgate models verify`, then `inkgate models fetch`.")
    names = ", ".join(sorted(reader.info.models))
    reader.close()
    return Finding(
        "models", f"{engine.runtime}, {engine.profile}: {names} ({time.perf_counter() - start:.1f} s to load)"
    )


async def _database(settings: Settings) -> Finding:
    url = settings.database.url
    try:
        engine = databases.create(settings.database)
    except InkGateError as error:
        return Finding("database", str(error), "Set INKGATE_DATABASE__URL.")
    try:
        await migrate.check(engine)
        skew = await _clock_skew(engine)
    except InkGateError as error:
        return Finding("database", str(error), "Run `inkgate migrate`.")
    except Exception as error:  # a driver's own error: anything may be wrong out there
        return Finding(
            "database", f"{_place(url)}: {type(error).__name__}", "Is it running, and INKGATE_DATABASE__URL right?"
        )
    finally:
        await engine.dispose()
    if abs(skew) > _SKEW:
        return Finding(
            "database", f"its clock is {skew:+.0f} s off ours", "Synchronise both with NTP: packs expire by its clock."
        )
    return Finding("database", f"{_place(url)}, schema current, clock {skew:+.1f} s")


async def _clock_skew(engine: AsyncEngine) -> float:
    from service.db import clock

    async with engine.connect() as connection:
        return (await clock.now(connection)).timestamp() - time.time()


async def _queue(settings: Settings) -> Finding:
    if not settings.redis.url:
        return Finding("queue", "embedded (set INKGATE_REDIS__URL to use several machines)")
    from redis.asyncio import Redis

    client = Redis.from_url(settings.redis.url, socket_connect_timeout=2, socket_timeout=2)
    try:
        return await _redis(client, _place(settings.redis.url))
    except Exception as error:
        return Finding(
            "queue",
            f"{_place(settings.redis.url)}: {type(error).__name__}",
            "Is it running, and INKGATE_REDIS__URL right?",
        )
    finally:
        await client.aclose()


async def _redis(client: object, place: str) -> Finding:
    ask: Callable[..., Awaitable[dict[str, str]]] = client.info  # type: ignore[attr-defined]  # redis-py is untyped here
    memory, server = await ask("memory"), await ask("server")
    policy = memory.get("maxmemory_policy", "")
    version = str(server.get("redis_version", ""))
    if policy != "noeviction":
        return Finding(
            "queue",
            f"{place}: maxmemory-policy {policy}",
            "Set maxmemory-policy noeviction: evicted tasks are lost calls.",
        )
    return Finding("queue", f"{place}, Redis {version}, noeviction")


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    cores = len(os.sched_getaffinity(0))
    if soft < _FILES:
        return Finding("limits", f"{soft} open files, {cores} cores", f"Raise it: ulimit -n {min(hard, 65536)}")
    return Finding("limits", f"{soft} open files, {cores} cores")


def _port(settings: Settings) -> Finding:
    server = settings.server
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            return Finding(
                "port", f"{server.host}:{server.port}: {error.strerror}", "Free it, or set INKGATE_SERVER__PORT."
            )
    return Finding("port", f"{server.host}:{server.port} is free")


def _place(url: str) -> str:
    """A URL without its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
