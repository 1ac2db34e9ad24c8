"""What a worker holds: one object that reads for every capability, and the registry of the readers behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from inkgate.engines.errors import EngineError, ModelError
from inkgate.engines.idcard import read_idcard
from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import CapabilityReader, TextEngine
from inkgate.engines.licence import read_licence
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.plate import plate_reader
from inkgate.engines.types import EngineInfo, IdCard, Image, Licence, Page

GROUP = "inkgate.readers"


@dataclass(frozen=True, slots=True)
class ReaderContext:
    """What a `ReaderFactory` may build on.

    `text` is the worker's text engine, `networks` opens the models of the manifest on the CPU, `threads` is the number
    of threads that a network may use, `model_dir` the operator's directory of model files (None: those that
    distributions carry).
    """

    text: TextEngine
    networks: NetworkFactory
    threads: int
    model_dir: Path | None


ReaderFactory = Callable[[ReaderContext], CapabilityReader]
"""Opens a reader, networks loaded and not warmed up. Raises ModelError when a model file is missing or altered."""


class _GeneralReader:
    """Whole pages, by the text engine alone."""

    def __init__(self, context: ReaderContext) -> None:
        self._text = context.text

    def read(self, image: Image, *, extras: bool) -> Page:
        return self._text.read(image)


class _IdCardReader:
    """Identity cards over the text engine."""

    def __init__(self, context: ReaderContext) -> None:
        self._text = context.text

    def read(self, image: Image, *, extras: bool) -> IdCard:
        return read_idcard(self._text, image, extras=extras)


class _LicenceReader:
    """Business licences over the text engine."""

    def __init__(self, context: ReaderContext) -> None:
        self._text = context.text

    def read(self, image: Image, *, extras: bool) -> Licence:
        return read_licence(self._text, image, extras=extras)


BUILT_IN: Mapping[str, ReaderFactory] = {
    "general": _GeneralReader,
    "idcard": _IdCardReader,
    "plate": lambda context: plate_reader(context.networks),
    "licence": _LicenceReader,
}
"""Capability → factory of its reader: the one place where the engines name capabilities."""


def open_readers(context: ReaderContext, found: Iterable[EntryPoint] | None = None) -> Mapping[str, CapabilityReader]:
    """Capability → reader: the built-in ones, then those that the entry points `found` name.

    `found` defaults to the installed ones of the group `inkgate.readers`, whose names are those of capabilities.
    Raises ModelError, naming the distribution, for one that cannot be loaded or opened, or whose name is taken.
    """
    readers = {name: factory(context) for name, factory in BUILT_IN.items()}
    for entry in sorted(entry_points(group=GROUP) if found is None else found, key=lambda each: each.name):
        if entry.name in readers:
            raise _faulty(entry, "the capability has a reader already")
        readers[entry.name] = _open(entry, context)
    return readers


def _open(entry: EntryPoint, context: ReaderContext) -> CapabilityReader:
    try:
        reader = entry.load()(context)
    except EngineError:
        raise
    except Exception as error:  # whatever code of another distribution raises
        raise _faulty(entry, f"{entry.value} cannot be opened: {error!r}") from error
    if not callable(getattr(reader, "read", None)):
        raise _faulty(entry, f"what {entry.value} returns has no method read")
    opened: CapabilityReader = reader
    return opened


def _faulty(entry: EntryPoint, problem: str) -> ModelError:
    owner = entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]
    return ModelError(
        f"reader {entry.name!r} of the distribution {owner!r}: {problem}. Correct or uninstall the distribution "
        "(docs/howto/add-a-capability.md)."
    )


class ImageReader:
    """The `Reader` over a text engine and the readers built on it. One per worker process.

    `max_pixels` bounds the images that are decoded.
    """

    def __init__(self, text: TextEngine, readers: Mapping[str, CapabilityReader], max_pixels: int) -> None:
        self._text = text
        self._readers = readers
        self._max_pixels = max_pixels

    @property
    def info(self) -> EngineInfo:
        models = dict(self._text.info.models)
        for reader in self._readers.values():
            models |= getattr(reader, "models", {})
        return replace(self._text.info, models=models)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._readers)

    def warmup(self) -> None:
        self._text.warmup()
        for reader in self._readers.values():
            if hasattr(reader, "warmup"):
                reader.warmup()

    def read(self, name: str, data: bytes, *, extras: bool = False) -> Any:
        reader = self._readers[name]
        return reader.read(decode(data, self._max_pixels), extras=extras)

    def close(self) -> None:
        for reader in self._readers.values():
            if hasattr(reader, "close"):
                reader.close()
        self._text.close()
