"""The two READMEs: links that lead somewhere, the same structure in both languages, figures from the results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.readme_figures import BEGIN, END, with_figures

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.en.md")
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_every_link_and_image_exists(name: str) -> None:
    targets = [target for target, _ in LINK.findall(text(name))]
    assert len(targets) > 20
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_both_languages_have_the_same_structure() -> None:
    shapes = [re.findall(r"^(#+ |```\w*|!\[|\|---)", text(name), re.MULTILINE) for name in READMES]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("name", "language"), [*zip(READMES, ("zh", "en"), strict=True)])
def test_figures_are_written_between_the_markers_only(name: str, language: str) -> None:
    def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
        return f"{head[0]}: {len(rows)}\n"

    made = with_figures(f"above {BEGIN} old {END} below", language, table)
    assert made.startswith("above ") and made.endswith(" below") and " old " not in made
    assert "exact-units.json" in made and made.count(BEGIN) == made.count(END) == 1


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        with_figures(f"{END} {BEGIN}", "en", lambda head, rows: "")
