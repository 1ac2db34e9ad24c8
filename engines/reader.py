"""What a worker holds: one object that answers all four capabilities for one picture's bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inkgate.engines.idcard import read_idcard
from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.licence import read_licence
from inkgate.engines.plate import PlateReader
from inkgate.engines.types import EngineInfo, IdCard, Licence, Page, Plate


class PictureReader:
    """The `Reader` over a text engine and a plate reader. One per worker process, one thread at a time."""

    def __init__(self, text: TextEngine, plates: PlateReader, max_pixels: int) -> None:
        self._text = text
        self._plates = plates
        self._max_pixels = max_pixels

    @property
    def info(self) -> EngineInfo:
        return replace(self._text.info, models={**self._text.info.models, **self._plates.models})

    def warmup(self) -> None:
        self._text.warmup()
        self._plates.warmup()

    def general(self, data: bytes) -> Page:
        return self._text.read(self._picture(data))

    def idcard(self, data: bytes, *, extras: bool = False) -> IdCard:
        return read_idcard(self._text, self._picture(data), extras=extras)

    def plate(self, data: bytes, *, extras: bool = False) -> list[Plate]:
        return self._plates.read(self._picture(data), extras=extras)

    def licence(self, data: bytes, *, extras: bool = False) -> Licence:
        return read_licence(self._text, self._picture(data), extras=extras)

    def close(self) -> None:
        self._plates.close()
        self._text.close()

    def _picture(self, data: bytes) -> np.ndarray:
        return decode(data, self._max_pixels)
