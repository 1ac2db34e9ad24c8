"""How many worker processes, and how many pictures each has in hand.

On CPUs a process a core, one picture at a time: batches cost as much there as their parts. On a GPU one process that
has several pictures in hand, a thread each: while one is decoded another is on the card, and the lines of all that are
there go through the network together (inkgate.engines.text.pool).
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from inkgate.service.settings import Settings
from inkgate.service.worker.process import usable_cores

_AT_ONCE_ON_A_GPU = 8


def has_gpu() -> bool:
    """Whether the installed ONNX Runtime is one for CUDA and this machine has a card for it.

    Tells without loading either: a gateway with embedded workers asks too.
    """
    try:
        metadata.distribution("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def processes(settings: Settings) -> int:
    """Worker processes of this machine."""
    if settings.worker.processes:
        return settings.worker.processes
    return 1 if _on_gpu(settings) else usable_cores()


def at_once(settings: Settings) -> int:
    """Pictures that one worker process has in hand at once."""
    return settings.worker.at_once or (_AT_ONCE_ON_A_GPU if _on_gpu(settings) else 1)


def _on_gpu(settings: Settings) -> bool:
    return settings.engine.runtime == "onnx" and has_gpu()
