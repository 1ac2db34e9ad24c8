"""Number of worker processes, and of images that each processes at once.

On a CPU: one process per core and one image at a time, because a batch costs as much as its images one by one. On a
GPU: one process with one thread per image. While one image is decoded another is on the GPU, and the lines of all
images share batches (inkgate.engines.text.pool).
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from inkgate.service.settings import Settings
from inkgate.service.worker.process import usable_cores

_GPU_CONCURRENCY = 8


def has_gpu() -> bool:
    """Whether the CUDA build of ONNX Runtime is installed and this machine has an NVIDIA GPU.

    Loads neither library: a gateway with embedded workers calls this too.
    """
    try:
        metadata.distribution("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def process_count(settings: Settings) -> int:
    """Number of worker processes on this machine."""
    if settings.worker.processes:
        return settings.worker.processes
    return 1 if _on_gpu(settings) else usable_cores()


def concurrency(settings: Settings) -> int:
    """Number of images that one worker process reads at once."""
    return settings.worker.at_once or (_GPU_CONCURRENCY if _on_gpu(settings) else 1)


def total_cores(settings: Settings) -> int:
    """Number of cores that the workers on this machine use together at most."""
    return min(process_count(settings) * concurrency(settings), usable_cores())


def page_cores(settings: Settings) -> int:
    """Number of cores that one image may use while the others are idle; on a GPU, and with several threads for each
    operator of a network, its own only."""
    return 1 if _on_gpu(settings) or settings.engine.threads > 1 else settings.worker.page_cores


def _on_gpu(settings: Settings) -> bool:
    return settings.engine.runtime == "onnx" and has_gpu()
