"""A reader that reads nothing, for load and crash tests: its text follows from the picture's sha256.

Clients of a chaos run can so tell whether an answer belongs to the picture they sent. Bytes anywhere in the file
plant a fault: `inkgate-stub:crash` kills the process as a broken native library would, `inkgate-stub:hang` never
returns, `inkgate-stub:raise` raises. No other runtime knows them.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time

from inkgate.engines.types import EngineInfo, IdCard, Licence, Line, Page, Plate, Quad

_QUAD: Quad = ((1.0, 2.0), (101.0, 2.0), (101.0, 34.0), (1.0, 34.0))


def stub_text(data: bytes) -> str:
    """What the stub reads from a picture: 16 hex digits of its sha256."""
    return hashlib.sha256(data).hexdigest()[:16]


class StubReader:
    """A Reader that sleeps `seconds` per picture and answers with `stub_text`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("stub", "1", "none", 1)

    def warmup(self) -> None:
        return None

    def general(self, data: bytes) -> Page:
        return Page((Line(_QUAD, self._read(data), 1.0),), 102, 36)

    def idcard(self, data: bytes, *, extras: bool = False) -> IdCard:
        return IdCard(note="back", name=self._read(data))

    def plate(self, data: bytes, *, extras: bool = False) -> list[Plate]:
        return [Plate(_QUAD, "blue", self._read(data), 1.0)]

    def licence(self, data: bytes, *, extras: bool = False) -> Licence:
        return Licence(is_licence=True, name=self._read(data))

    def close(self) -> None:
        return None

    def _read(self, data: bytes) -> str:
        if b"inkgate-stub:crash" in data:
            os.kill(os.getpid(), signal.SIGSEGV)
        if b"inkgate-stub:hang" in data:
            time.sleep(3600)
        if b"inkgate-stub:raise" in data:
            raise RuntimeError("planted fault")
        time.sleep(self._seconds)
        return stub_text(data)
