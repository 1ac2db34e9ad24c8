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
from typing import Any

from inkgate.engines.types import EngineInfo
from inkgate.service.contract.capabilities import CAPABILITIES


def stub_text(data: bytes) -> str:
    """What the stub reads from a picture: 16 hex digits of its sha256."""
    return hashlib.sha256(data).hexdigest()[:16]


class StubReader:
    """A Reader that sleeps `seconds` per image and answers with `stub_text`, in the form of each capability's stub."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("stub", "1", "none", 1)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(CAPABILITIES)

    def warmup(self) -> None:
        return None

    def read(self, name: str, data: bytes, *, extras: bool = False) -> Any:
        return CAPABILITIES[name].stub(self._read(data))

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
