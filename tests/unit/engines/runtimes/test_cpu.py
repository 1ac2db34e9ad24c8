"""INT8 networks are chosen by what the processor says of itself."""

from pathlib import Path

import pytest

from inkgate.engines.runtimes.cpu import has_vnni


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ("fpu sse4_2 avx2 avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
        ("fpu sse4_2 avx2 avx512f avx512vbmi", False),
        ("", False),
    ],
)
def test_flags_decide(tmp_path: Path, flags: str, answer: bool) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nmodel name\t: VNNI avx512_vnni\nflags\t\t: {flags}\nbugs\t\t: spectre\n")
    assert has_vnni(facts) is answer


def test_without_facts_or_flags_the_answer_is_no(tmp_path: Path) -> None:
    assert not has_vnni(tmp_path / "none")
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n")
    assert not has_vnni(tmp_path / "arm")
