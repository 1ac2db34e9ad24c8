"""CPU features that decide between the FP32 and the INT8 file of a network."""

from __future__ import annotations

from pathlib import Path

_VNNI_FLAGS = {"avx512_vnni", "avx_vnni"}


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has VNNI instructions (INT8 dot products).

    Without them ONNX Runtime's INT8 networks gain little, and on AVX2 their sums overflow: characters change.
    Where the cpuinfo cannot be read, the answer is no.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _VNNI_FLAGS.isdisjoint(flags)
