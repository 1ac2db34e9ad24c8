"""`inkgate sandbox`: a temporary service for client developers and tests."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from inkgate.service import settings as configuration
from inkgate.service.accounts import vault as vaults
from inkgate.service.cli.serve import EngineOption, ProfileOption, settings_with_overrides
from inkgate.service.composition import event_loop
from inkgate.service.composition.embedded import serve_embedded
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.provision import Keys, provision, write_env_file
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs


def sandbox(
    env_file: Annotated[Path, typer.Option(help="Where to write BASE_URL, AK, SK, APPKEY and the rest, once ready.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    qps: Annotated[float, typer.Option(help="Requests per second and capability.", min=0.1)] = 10.0,
    profile: ProfileOption = None,
    engine: EngineOption = None,
) -> None:
    """Serve from a temporary folder, with one account, paid apps and refused ones; gone at exit."""
    env_file.unlink(missing_ok=True)
    screen = Console(stderr=True, highlight=False)

    def ready(base_url: str, keys: Keys) -> None:
        write_env_file(env_file, keys.lines(base_url))
        screen.print(f"[green]sandbox ready[/green] at {base_url}; keys in {env_file}")

    run_sandbox(ready, qps=qps, refused=True, host=host, port=port, profile=profile, runtime=engine)


def run_sandbox(ready: Callable[[str, Keys], None], *, qps: float, refused: bool, **given: Any) -> None:
    """Provision and serve from a temporary folder; calls `ready(base_url, keys)` once images can be read.

    `given` are command-line options as for `settings_with_overrides`.
    """
    with tempfile.TemporaryDirectory(prefix="inkgate-") as name:
        settings = temporary(Path(name), settings_with_overrides(**given))
        logs.configure("warning", "text")
        migrate.upgrade(settings.database.url)
        keys = asyncio.run(_provision(settings, qps, refused))
        event_loop.run(serve_embedded(settings, lambda base_url: ready(base_url, keys)))


def temporary(folder: Path, settings: Settings) -> Settings:
    """The settings with database and master key in `folder`, without Redis."""
    return configuration.load(
        **{
            **settings.model_dump(),
            "database": {"url": f"sqlite+aiosqlite:///{folder / 'inkgate.db'}"},
            "security": {"master_key": None, "master_key_file": None},  # created beside the database
            "redis": {"url": ""},
        }
    )


async def _provision(settings: Settings, qps: float, refused: bool) -> Keys:
    async with databases.opened(settings.database) as engine:
        vault = vaults.load(settings.security, settings.database)
        return await provision(engine, vault, qps, refused=refused, second=refused)
