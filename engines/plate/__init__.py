"""Number plates: detect, rectify, recognise, validate (manual 6.3.3)."""

from __future__ import annotations

from typing import Protocol

from inkgate.engines.networks import NetworkFactory
from inkgate.engines.plate.detect import PlateDetector
from inkgate.engines.plate.pipeline import NetworkPlateReader
from inkgate.engines.types import Image, Plate

_MODELS = {  # role to name in the manifest
    "plate-detect": "plate-detector",
    "plate-read": "plate-reader",
    "plate-second": "plate-second-reader",
    "plate-corners": "plate-corners",
}

__all__ = ["PlateReader", "plate_reader"]


class PlateReader(Protocol):
    """Finds and reads plates. `models` holds the sha256 of its networks by role."""

    @property
    def models(self) -> dict[str, str]: ...

    def warmup(self) -> None:
        """Run every network once, so that the first call costs what the thousandth costs."""

    def read(self, image: Image, *, extras: bool = False) -> list[Plate]:
        """Plates of an image (BGR uint8), left to right, top to bottom; kinds beyond the manual's with `extras`.

        Quadrilaterals are in pixels of `image`.
        """

    def close(self) -> None:
        """Release the networks. The reader cannot be used afterwards."""


def plate_reader(networks: NetworkFactory) -> PlateReader:
    """The plate reader over networks of any runtime. Raises ModelError when a file is missing or altered."""
    detector, strips, second, corners = (networks.network(name) for name in _MODELS.values())
    digests = {role: networks.digests[name] for role, name in _MODELS.items()}
    return NetworkPlateReader(PlateDetector(detector), strips, second, corners, digests)
