"""`inkgate serve`: gateway and workers in one process tree."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from inkgate.service import settings as configuration
from inkgate.service.cli.announce import announce
from inkgate.service.cli.ocr.command import Profile
from inkgate.service.composition import event_loop
from inkgate.service.composition.embedded import serve_embedded
from inkgate.service.db import migrate
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs

Host = Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one [default: 8080].")]
ProfileOption = Annotated[Profile | None, typer.Option(help="Speed against accuracy [default: balanced].")]
EngineOption = Annotated[
    str | None, typer.Option("--engine", help="Inference runtime: onnx or paddle [default: onnx].")
]


def serve(host: Host = None, port: Port = None, profile: ProfileOption = None, engine: EngineOption = None) -> None:
    """Run gateway and workers on this machine (SQLite, no Redis) until Ctrl-C."""
    settings = settings_with_overrides(host=host, port=port, profile=profile, runtime=engine)
    logs.configure(
        settings.telemetry.log_level, settings.telemetry.log_format, secrets=configuration.secret_values(settings)
    )
    migrate.upgrade(settings.database.url)
    event_loop.run(serve_embedded(settings, lambda url: announce("InkGate", url)))


def settings_with_overrides(**given: Any) -> Settings:
    """The settings of the environment, overridden by options of the command line that are not None."""
    settings = configuration.load()
    server = {name: given[name] for name in ("host", "port") if given.get(name) is not None}
    engine = {name: given[name] for name in ("profile", "runtime") if given.get(name) is not None}
    return configuration.load(
        **{
            **settings.model_dump(),
            "server": {**settings.server.model_dump(), **server},
            "engine": {**settings.engine.model_dump(), **engine},
        }
    )
