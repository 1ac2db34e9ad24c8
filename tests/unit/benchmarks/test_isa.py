"""Instruction sets are hidden from a process: the patch replaces CPUID instructions and nothing else."""

from __future__ import annotations

import pytest

from benchmarks.throughput.isa import masking

DISASSEMBLY = """
 12150b2:\t0f a2                \tcpuid
 12150b4:\t89 d8                \tmov    %ebx,%eax
 1215101:\t0f a2                \tcpuid
"""
HEADERS = """
Program Header:
    LOAD off    0x0000000000000000 vaddr 0x0000000000000000 paddr 0x0000000000000000 align 2**12
         filesz 0x0000000000000010 memsz 0x0000000000000010 flags r--
    LOAD off    0x0000000000000010 vaddr 0x0000000000001010 paddr 0x0000000000001010 align 2**12
         filesz 0x0000000000000008 memsz 0x0000000000000008 flags r-x
"""


def test_the_instructions_are_found_in_the_disassembly() -> None:
    assert masking.sites(DISASSEMBLY.splitlines()) == [0x12150B2, 0x1215101]


def test_an_address_is_translated_to_its_place_in_the_file() -> None:
    library = bytes(16) + b"\x90\x90\x0f\xa2\x0f\xa2\x90\x90"
    loaded = masking.segments(HEADERS)
    assert loaded == [(0, 0, 16), (16, 0x1010, 8)]
    changed, count = masking.patch(library, [0x1012], loaded)
    assert (changed, count) == (bytes(16) + b"\x90\x90\x0f\xb9\x0f\xa2\x90\x90", 1)


@pytest.mark.parametrize("address", [0x1010, 0x5000])
def test_another_instruction_is_not_replaced(address: int) -> None:
    with pytest.raises(ValueError, match="no CPUID instruction at"):
        masking.patch(bytes(24), [address], masking.segments(HEADERS))


def test_a_library_without_the_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="has no CPUID instruction"):
        masking.patch(b"", [], [])


@pytest.mark.parametrize(
    ("flags", "levels"),
    [
        (["avx2"], ["AVX2"]),
        (["avx2", "avx512f", "avx512_vnni"], ["AVX2", "AVX-512", "AVX-512 VNNI"]),
        (["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"], ["AVX2", "AVX-512", "AVX-512 VNNI", "AMX"]),
    ],
)
def test_a_machine_runs_the_levels_that_it_has(flags: list[str], levels: list[str]) -> None:
    assert list(masking.available(flags)) == levels


def test_int8_networks_are_for_levels_with_vnni() -> None:
    assert {name for name, level in masking.LEVELS.items() if not level.int8} == {"AVX2", "AVX-512"}
