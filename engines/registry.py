"""Builds a `Reader` from the settings: runtime, profile, models."""

from __future__ import annotations

from pathlib import Path

import cv2

from inkgate.engines.interfaces import IdleCores, Reader, TextEngine
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.plate import PlateReader, plate_reader
from inkgate.engines.reader import ImageReader, ReaderContext, open_readers
from inkgate.engines.runtimes import bf16 as bfloat16
from inkgate.engines.runtimes.bf16 import Bf16Choice
from inkgate.engines.runtimes.interface import CPU
from inkgate.engines.runtimes.table import RUNTIMES, RuntimeEntry
from inkgate.engines.text.profiles import PROFILES


def open_reader(
    runtime: str,
    profile: str,
    threads: int,
    model_dir: Path | None,
    max_pixels: int,
    cores: IdleCores | None = None,
    *,
    bf16: bool = False,
) -> Reader:
    """Load every network of a worker. `runtime` and `profile` are those of the settings.

    With `cores` a page borrows idle ones, where the text engine is our own and runs on the CPU. With `bf16` a warm-up
    also starts to compile networks in bfloat16, where the runtime and the profile have some (see `bf16_choice`).

    Raises ModelError when a file is missing or altered, ValueError for a name that no engine has.
    """
    text = open_text_engine(runtime, profile, threads, model_dir, cores, bf16=bf16)
    networks = NetworkFactory(_entry(runtime).networks(), model_dir, threads, CPU)
    return ImageReader(text, open_readers(ReaderContext(text, networks, threads, model_dir)), max_pixels)


def open_text_engine(
    runtime: str,
    profile: str,
    threads: int,
    model_dir: Path | None,
    cores: IdleCores | None = None,
    *,
    bf16: bool = False,
) -> TextEngine:
    """The text engine alone. Raises as `open_reader` does."""
    entry = _entry(runtime)
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}")
    cv2.setNumThreads(threads)
    networks = entry.compiling(threads) if bf16 and entry.compiling is not None else entry.networks()
    return entry.text_engine(NetworkFactory(networks, model_dir, threads, cores=cores), PROFILES[profile])


def bf16_choice(wish: str, runtime: str, profile: str, workers: int) -> Bf16Choice:
    """Whether `workers` processes on this machine should run networks in bfloat16. `wish` is that of the settings.

    Raises ValueError for a name that no engine has.
    """
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}")
    compiles = _entry(runtime).compiling is not None and PROFILES[profile].compiled is not None
    name = profile if _entry(runtime).compiling is not None else f"{profile} of the runtime {runtime}"
    return bfloat16.choose(wish, name, compiles, workers, bfloat16.this_machine())


def open_plate_reader(runtime: str = "onnx", threads: int = 1, model_dir: Path | None = None) -> PlateReader:
    """The plate reader alone. Its networks run on the CPU on every machine. Raises as `open_reader` does."""
    return plate_reader(NetworkFactory(_entry(runtime).networks(), model_dir, threads, CPU))


def _entry(runtime: str) -> RuntimeEntry:
    if runtime not in RUNTIMES:
        raise ValueError(f"no runtime {runtime!r}")
    return RUNTIMES[runtime]
