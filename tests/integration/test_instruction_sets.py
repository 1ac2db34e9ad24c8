"""A process from which instruction sets are hidden does not see them. Needs `cc` and `objdump`."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.throughput.isa import masking

SHOW_LEAF_7 = """
#include <cpuid.h>
unsigned ebx(void) { unsigned a, b, c, d; __cpuid_count(7, 0, a, b, c, d); return b; }
unsigned ecx(void) { unsigned a, b, c, d; __cpuid_count(7, 0, a, b, c, d); return c; }
"""


def test_a_patched_library_sees_fewer_instructions(tmp_path: Path) -> None:
    source, library = tmp_path / "leaf.c", tmp_path / "leaf.so"
    source.write_text(SHOW_LEAF_7)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    code = Path(masking.__file__).with_name("cpuid.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(tmp_path / "cpuid.so"), str(code)], check=True)
    shown = ctypes.CDLL(str(library))
    before = shown.ebx() & 0xFFFFFFFF, shown.ecx() & 0xFFFFFFFF
    listing = subprocess.check_output(["objdump", "-d", "-w", str(library)], text=True)
    headers = subprocess.check_output(["objdump", "-p", str(library)], text=True)
    patched = tmp_path / "patched.so"
    found = masking.sites(listing.splitlines())
    changed, count = masking.patch(library.read_bytes(), found, masking.segments(headers))
    patched.write_bytes(changed)
    level = masking.LEVELS["AVX2"]
    program = "import ctypes, sys; it = ctypes.CDLL(sys.argv[1]); print([it.ebx() & 0xffffffff, it.ecx() & 0xffffffff])"
    done = subprocess.run(
        [sys.executable, "-c", program, str(patched)],
        env={**os.environ, **masking.environment(level, tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert count == len(found) == 2
    hidden = level.hidden["HIDE_EBX7"], level.hidden["HIDE_ECX7"]
    assert json.loads(done.stdout) == [now & ~gone for now, gone in zip(before, hidden, strict=True)]
