"""CPU features that decide between the FP32 and the INT8 file of a network."""

from __future__ import annotations

from pathlib import Path

_PRODUCTS_OF_BYTES = {"avx512_vnni", "avx_vnni"}


def multiplies_bytes(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has VNNI instructions (INT8 dot products).

    Without them ONNX Runtime's INT8 networks gain little, and on AVX2 their sums overflow: characters change.
    Where the facts cannot be read, the answer is no.
    """
    try:
        lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _PRODUCTS_OF_BYTES.isdisjoint(flags)
