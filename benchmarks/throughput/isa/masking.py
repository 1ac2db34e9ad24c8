"""A process that believes its CPU has fewer instruction sets than it has.

ONNX Runtime chooses its kernels by the CPUID instruction and has no setting for it, and many machines cannot make CPUID
fault. So a copy of its library gets another instruction in place of each CPUID, whose signal a preloaded library
answers, with bits cleared (cpuid.c). OpenCV, NumPy and the C library have environment variables for the same purpose.
Needs `cc` and `objdump`. Nothing installed is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

_CPUID, _UNDEFINED = b"\x0f\xa2", b"\x0f\xb9"  # UD1
_SITE = re.compile(r"\s*([0-9a-f]+):\s+0f a2\s+cpuid\s*$")
_LOAD = re.compile(r"^\s*LOAD\s+off\s+(0x[0-9a-f]+)\s+vaddr\s+(0x[0-9a-f]+).*\n\s+filesz\s+(0x[0-9a-f]+)", re.MULTILINE)


def bits(*positions: int) -> int:
    """The mask of these bit positions."""
    return sum(1 << position for position in positions)


# Bits of CPUID leaf 7 (Intel SDM volume 2A, CPUID).
_AVX512_EBX = bits(16, 17, 21, 26, 27, 28, 30, 31)  # F, DQ, IFMA, PF, ER, CD, BW, VL
_AVX512_ECX = bits(1, 6, 11, 12, 14)  # VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
_AVX512_EDX = bits(2, 3, 8, 23)  # 4VNNIW, 4FMAPS, VP2INTERSECT, FP16
_VNNI_ECX = bits(11)
_AMX_EDX = bits(22, 24, 25)  # BF16, TILE, INT8
_VNNI_EAX1 = bits(4, 5)  # AVX-VNNI, AVX512-BF16
_AMX_EAX1 = bits(21)  # FP16
_VNNI_EDX1 = bits(4, 5, 10)  # AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16

_NUMPY_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"
_OPENCV_AVX512 = "AVX512F,AVX512-COMMON,AVX512-SKX,AVX512-CNL,AVX512-CLX,AVX512-ICL"
_GLIBC_AVX512 = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-AVX512ER,-AVX512PF"


@dataclass(frozen=True, slots=True)
class Level:
    """An instruction set level: what is hidden, and which networks the product chooses there.

    `hidden` holds the environment of cpuid.c; `others` that of the other libraries; `needs` are flags of /proc/cpuinfo.
    """

    hidden: Mapping[str, int]
    others: Mapping[str, str]
    needs: tuple[str, ...]
    int8: bool
    bf16: bool = False


_NO_AVX512 = {
    "HIDE_EBX7": _AVX512_EBX,
    "HIDE_ECX7": _AVX512_ECX,
    "HIDE_EDX7": _AVX512_EDX | _AMX_EDX,
    "HIDE_EAX71": _VNNI_EAX1 | _AMX_EAX1,
    "HIDE_EDX71": _VNNI_EDX1,
}
_NO_VNNI = {"HIDE_ECX7": _VNNI_ECX, "HIDE_EDX7": _AMX_EDX, "HIDE_EAX71": _VNNI_EAX1 | _AMX_EAX1}
_NO_AMX = {"HIDE_EDX7": _AMX_EDX, "HIDE_EAX71": _AMX_EAX1}
_OTHERS_WITHOUT_AVX512 = {
    "NPY_DISABLE_CPU_FEATURES": _NUMPY_AVX512,
    "OPENCV_CPU_DISABLE": _OPENCV_AVX512,
    "GLIBC_TUNABLES": _GLIBC_AVX512,
}
LEVELS = {
    "AVX2": Level(_NO_AVX512, _OTHERS_WITHOUT_AVX512, ("avx2",), int8=False),
    "AVX-512": Level(_NO_VNNI, {}, ("avx512f",), int8=False),
    "AVX-512 VNNI": Level(_NO_AMX, {}, ("avx512_vnni",), int8=True),
    "AVX-512 BF16": Level(_NO_AMX, {}, ("avx512_bf16",), int8=True, bf16=True),
    "AMX": Level({}, {}, ("amx_bf16",), int8=True, bf16=True),
}


def available(flags: Sequence[str]) -> dict[str, Level]:
    """The levels of a CPU with these flags. bfloat16 by vectors is one where there is no AMX, which comes first."""
    found = {name: level for name, level in LEVELS.items() if set(level.needs) <= set(flags)}
    if "AMX" in found:  # OpenVINO asks CPUID itself, so AMX cannot be hidden from it
        found.pop("AVX-512 BF16", None)
    return found


def environment(level: Level, folder: Path) -> dict[str, str]:
    """What a child process needs to run at `level`; `folder` is from `prepare`."""
    numpy = numpy_features(level.others.get("NPY_DISABLE_CPU_FEATURES", ""))
    return {
        **level.others,
        **({"NPY_DISABLE_CPU_FEATURES": numpy} if numpy else {}),
        **{name: hex(mask) for name, mask in level.hidden.items()},
        "LD_PRELOAD": str(folder / "cpuid.so"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])),
    }


def numpy_features(wanted: str) -> str:
    """Those of the features that the installed NumPy dispatches on; it warns about all others."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    return " ".join(name for name in wanted.split() if name in __cpu_dispatch__)


def prepare(folder: Path) -> int:
    """Write the patched ONNX Runtime and the preloaded library into `folder`. Returns the number of replaced CPUIDs.

    Raises CalledProcessError without `cc` or `objdump`, ValueError when the library has no CPUID instruction.
    """
    source = Path(onnxruntime.__file__).parent
    shutil.copytree(source, folder / "onnxruntime", ignore=shutil.ignore_patterns("__pycache__", "libonnxruntime.so*"))
    (library,) = (folder / "onnxruntime" / "capi").glob("onnxruntime_pybind11_state*.so")
    code = Path(__file__).with_name("cpuid.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(folder / "cpuid.so"), str(code)], check=True)
    found, loaded = sites(_objdump("-d", "-w", str(library))), segments("".join(_objdump("-p", str(library))))
    patched, replaced = patch(library.read_bytes(), found, loaded)
    library.write_bytes(patched)
    return replaced


def sites(disassembly: Iterable[str]) -> list[int]:
    """The addresses of the CPUID instructions in the lines of `objdump -d -w`."""
    return [int(found[1], 16) for found in map(_SITE.match, disassembly) if found]


def segments(headers: str) -> list[tuple[int, int, int]]:
    """File offset, address and size of the loaded segments in the output of `objdump -p`."""
    return [(int(offset, 16), int(address, 16), int(size, 16)) for offset, address, size in _LOAD.findall(headers)]


def patch(library: bytes, addresses: Sequence[int], loaded: Sequence[tuple[int, int, int]]) -> tuple[bytes, int]:
    """The library with the instructions at `addresses` replaced, and their number.

    Raises ValueError when there are none, or when an address is not that of a CPUID instruction.
    """
    if not addresses:
        raise ValueError("the library has no CPUID instruction")
    changed = bytearray(library)
    for address in addresses:
        where = next((at + address - start for at, start, size in loaded if start <= address < start + size), None)
        if where is None or changed[where : where + 2] != _CPUID:
            raise ValueError(f"no CPUID instruction at {address:#x}")
        changed[where : where + 2] = _UNDEFINED
    return bytes(changed), len(addresses)


def _objdump(*arguments: str) -> Iterator[str]:
    """The lines that `objdump` writes, one by one: a disassembly is a gigabyte. Raises CalledProcessError."""
    with subprocess.Popen(["objdump", *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from process.stdout
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "objdump")
