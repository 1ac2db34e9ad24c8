"""`inkgate ocr`: reads images without a server, with the checks and answers of the service."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from inkgate.service import settings
from inkgate.service.contract.answers import failed_element
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT, Capability
from inkgate.service.contract.images import ImageFault, check_image
from inkgate.service.errors import ConfigurationError, Misuse
from inkgate.service.settings import Settings

CapabilityName = enum.StrEnum("CapabilityName", {name.upper(): name for name in CAPABILITIES})  # type: ignore[misc]
_DEFAULT = CapabilityName(DEFAULT)


class Profile(enum.StrEnum):
    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"
    ACCURATE = "accurate"


def ocr(
    images: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JPEG, PNG or BMP images.")],
    capability: Annotated[CapabilityName, typer.Option(help="What to read.")] = _DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image, as the service answers.")] = False,
    profile: Annotated[Profile | None, typer.Option(help="Speed against accuracy.")] = None,
    extras: Annotated[bool, typer.Option(help="Add confidences, places and warnings.")] = False,
) -> None:
    """Read images offline and print the text."""
    missing = [str(path) for path in images if not path.is_file()]
    if missing:
        raise Misuse("command.file_not_found", paths=tuple(missing))
    rule = CAPABILITIES[capability.value]
    screen, out = Console(stderr=True), Console(highlight=False, soft_wrap=True)
    failed = False
    for path, element in _read(images, rule, profile, extras, screen):
        failed |= "err_code" in element
        if as_json:
            typer.echo(orjson.dumps({"file": str(path), **element}).decode())
            continue
        if len(images) > 1:
            out.rule(str(path), align="left", style="dim")
        for line in _plain(rule, element):
            out.print(line, markup=False)
    if failed:
        raise typer.Exit(1)


def elements_of(images: Mapping[str, bytes], loaded: Settings) -> dict[str, dict[str, Any]]:
    """The element of one image of each capability, read in this process. Raises ConfigurationError, and ImageFault,
    DecodeError or ImageTooLarge for an image that cannot be read."""
    reader = _open(loaded, None)
    from inkgate.service.worker.reading import without_reader
    from inkgate.service.worker.render import element

    try:
        if missing := [name for name in images if name not in reader.names]:
            raise without_reader(missing)
        for name, data in images.items():
            check_image(data, CAPABILITIES[name])
        options = {"plate_types": loaded.worker.plate_types}
        return {name: element(reader, name, data, False, options) for name, data in images.items()}
    finally:
        reader.close()


def _open(loaded: Settings, profile: Profile | None) -> Any:
    """The engines of the settings. Raises ConfigurationError."""
    from inkgate.engines.decoder_limits import limit_decoder
    from inkgate.engines.errors import ModelError

    engine = loaded.engine
    limit_decoder(engine.max_pixels)
    from inkgate.engines.registry import open_reader
    from inkgate.service.worker import policy
    from inkgate.service.worker.cores import Cores
    from inkgate.service.worker.process import usable_cores

    try:
        return open_reader(
            engine.runtime,
            profile or engine.profile,
            engine.threads,
            engine.model_dir,
            engine.max_pixels,
            Cores.alone(usable_cores(), policy.page_cores(loaded)),
        )
    except (ModelError, ValueError) as error:
        raise ConfigurationError("INKGATE_ENGINE", str(error), "See `inkgate doctor`.") from None


def _read(
    images: list[Path], rule: Capability, profile: Profile | None, extras: bool, screen: Console
) -> Iterator[tuple[Path, dict[str, Any]]]:
    loaded = settings.load()
    options = {"plate_types": loaded.worker.plate_types}
    with Progress(console=screen, transient=True) as progress:
        loading = progress.add_task("loading models", total=None)
        reader = _open(loaded, profile)
        from inkgate.engines.errors import DecodeError, ImageTooLarge
        from inkgate.service.worker.reading import without_reader
        from inkgate.service.worker.render import element

        if rule.name not in reader.names:
            raise without_reader([rule.name])
        progress.remove_task(loading)
        for path in progress.track(images, description="reading"):
            try:
                data = path.read_bytes()
                check_image(data, rule)
                yield path, element(reader, rule.name, data, extras, options)
            except ImageFault as fault:
                yield path, failed_element(rule, fault.fault)
            except (DecodeError, ImageTooLarge):
                yield path, failed_element(rule, "decode")
        reader.close()


def _plain(rule: Capability, element: dict[str, Any]) -> Iterator[str]:
    """The lines of an element for display."""
    if "err_code" in element:
        yield f"{element['err_code']} {element['err_msg']}"
    else:
        yield from rule.view(element).lines()
