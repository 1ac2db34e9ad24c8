"""`inkgate models`: lists, verifies and collects the model files of the engines."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.table import Table

from inkgate.engines.errors import ModelError
from inkgate.engines.manifest import Model, catalogue, find_model_file, verify_model_file
from inkgate.service import settings
from inkgate.service.errors import InkGateError, Misuse

app = typer.Typer(help="Models 模型: list, verify, fetch.", no_args_is_help=True)

_TIMEOUT_SECONDS = 60.0  # without data from a mirror
_MAX_MODEL_BYTES = 512 * 1024 * 1024

Folder = Annotated[Path | None, typer.Option("--model-dir", help="Instead of INKGATE_ENGINE__MODEL_DIR.")]


def _folder(given: Path | None) -> Path | None:
    return given or settings.load().engine.model_dir


@app.command("list")
def list_models(model_dir: Folder = None) -> None:
    """Every model of the catalogue: role, licence, and the file that would be loaded."""
    folder = _folder(model_dir)
    table = Table("model", "role", "licence", "file", box=None, padding=(0, 2))
    for model in catalogue().values():
        try:
            place = str(find_model_file(model.name, folder))
        except ModelError:
            place = "[dim]not here[/dim]"
        table.add_row(model.name, model.role, model.licence, place)
    for column in table.columns:  # never truncate a path
        column.min_width = max(map(len, map(str, column.cells)))
    Console(highlight=False, soft_wrap=True).print(table)


@app.command("verify")
def verify_models(model_dir: Folder = None) -> None:
    """Hash every file that is here and compare; exit status 1 when one is altered or a packaged one is missing."""
    folder = _folder(model_dir)
    console = Console(highlight=False, soft_wrap=True)
    wrong = 0
    for model in catalogue().values():
        try:
            digest = verify_model_file(model.name, find_model_file(model.name, folder))
        except ModelError as error:
            optional = not model.carried and "no file" in str(error)
            wrong += not optional
            console.print(f"[dim]-[/dim] {model.name}: not supplied" if optional else f"[red]✗[/red] {error}")
        else:
            console.print(f"[green]✓[/green] {model.name} {digest[:16]}…")
    if wrong:
        raise typer.Exit(1)


@app.command("fetch")
def fetch(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go, as MODEL.suffix.")],
    mirror: Annotated[
        str, typer.Option(help="https://… or a folder that holds MODEL.suffix; default: the installed packages.")
    ] = "",
) -> None:
    """Gather verified model files in a folder for INKGATE_ENGINE__MODEL_DIR, a mirror or an image.

    Models that no package carries come from a mirror only, and are passed over where it has none.
    """
    if mirror and not mirror.startswith(("https://", "http://")) and not Path(mirror).is_dir():
        raise Misuse("command.mirror_invalid", mirror=mirror)
    to.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    for model in catalogue().values():
        try:
            target = _fetch_one(model, to, mirror)
        except FileNotFoundError:
            if model.carried:
                raise InkGateError(f"{mirror} has no {model.name}{model.suffix}.") from None
            console.print(f"[dim]-[/dim] {model.name}: not supplied")
            continue
        except (OSError, ModelError) as error:
            raise InkGateError(f"{model.name}: {error}") from None
        console.print(f"[green]✓[/green] {target}")


def _fetch_one(model: Model, to: Path, mirror: str) -> Path:
    """Write one verified file into the folder, atomically. Raises FileNotFoundError, OSError and ModelError."""
    target = to / f"{model.name}{model.suffix}"
    handle, name = tempfile.mkstemp(dir=to, prefix=".fetch-")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            _copy_or_download(model, mirror, out)
        verify_model_file(model.name, part)
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _copy_or_download(model: Model, mirror: str, out: BinaryIO) -> None:
    file = f"{model.name}{model.suffix}"
    if not mirror:
        if not model.carried:
            raise FileNotFoundError(file)
        with find_model_file(model.name).open("rb") as source:
            shutil.copyfileobj(source, out)
    elif Path(mirror).is_dir():
        with (Path(mirror) / file).open("rb") as source:
            shutil.copyfileobj(source, out)
    else:
        _download(f"{mirror.rstrip('/')}/{file}", out)


def _download(url: str, out: BinaryIO) -> None:
    """Download `url`. Raises FileNotFoundError on 404, OSError on any other failure, including URLError."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the scheme was checked
            taken = 0
            while chunk := answer.read(1 << 20):
                taken += len(chunk)
                if taken > _MAX_MODEL_BYTES:
                    raise OSError(f"{url} is larger than {_MAX_MODEL_BYTES} bytes")
                out.write(chunk)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise FileNotFoundError(url) from None
        raise
