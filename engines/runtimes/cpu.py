"""What the processor can do that decides which file of a network is the quicker one."""

from __future__ import annotations

from pathlib import Path

_PRODUCTS_OF_BYTES = {"avx512_vnni", "avx_vnni"}


def multiplies_bytes(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for sums of products of bytes (VNNI).

    Without them ONNX Runtime's eight-bit networks gain little, and on AVX2 their sums overflow: characters change.
    Where the facts cannot be read, the answer is no.
    """
    try:
        lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _PRODUCTS_OF_BYTES.isdisjoint(flags)
