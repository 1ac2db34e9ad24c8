"""CPU features that decide between the files of a network and between the libraries that run it."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})
_BF16_FLAGS = ("amx_bf16", "avx512_bf16")  # matrix instructions first, then vector ones


def has_vnni(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the CPU has VNNI instructions (INT8 dot products).

    Without them ONNX Runtime's INT8 networks gain little, and on AVX2 their sums overflow: characters change.
    Where the cpuinfo cannot be read, the answer is no.
    """
    return not _VNNI_FLAGS.isdisjoint(_flags(cpuinfo))


def bf16_instructions(cpuinfo: Path = _CPUINFO) -> str:
    """The CPU's best instructions for bfloat16 products, as cpuinfo calls them; empty where it has none."""
    flags = _flags(cpuinfo)
    return next((flag for flag in _BF16_FLAGS if flag in flags), "")


def _flags(cpuinfo: Path) -> list[str]:
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
