"""Number plates: found, set level, read and checked (manual 6.3.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from inkgate.engines.manifest import locate, verify
from inkgate.engines.plate.detect import Finder
from inkgate.engines.plate.pipeline import NetworkPlateReader
from inkgate.engines.runtimes.onnx import OnnxNetwork
from inkgate.engines.types import Image, Plate

_MODELS = {
    "plate-detect": "plate-detector",
    "plate-read": "plate-reader",
    "plate-second": "plate-second-reader",
    "plate-corners": "plate-corners",
}

__all__ = ["PlateReader", "open_plate_reader"]


class PlateReader(Protocol):
    """Finds and reads plates. `models` holds the sha256 of its networks by role."""

    @property
    def models(self) -> dict[str, str]: ...

    def warmup(self) -> None: ...

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of a BGR uint8 picture, left to right, top to bottom; others than the manual's with `extras`."""

    def close(self) -> None: ...


def open_plate_reader(threads: int = 1, model_dir: Path | None = None) -> PlateReader:
    """The plate reader of one worker. `model_dir` is the operator's directory of models.

    Raises ModelError when a file is missing or altered.
    """
    files, digests = {}, {}
    for role, name in _MODELS.items():
        files[role] = locate(name, model_dir)
        digests[role] = verify(name, files[role])
    detector, strips, second, corners = (OnnxNetwork(files[role], threads) for role in _MODELS)
    return NetworkPlateReader(Finder(detector), strips, second, corners, digests)
