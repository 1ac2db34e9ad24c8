"""One place decides the version: the files that repeat it are made from it."""

from __future__ import annotations

import re

import pytest

from inkgate.service import __version__
from tools.versions import PLACES, ROOT, versioned_files, with_version


def test_every_file_has_the_version_of_the_service() -> None:
    for path, expected in versioned_files().items():
        assert path.read_text(encoding="utf-8") == expected, f"{path.name}: run make reference"


@pytest.mark.parametrize("name", PLACES)
def test_another_version_is_found_in_every_place_and_nowhere_else(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    other = with_version(text, PLACES[name], "98.7.6")
    changed = [(old, new) for old, new in zip(text.splitlines(), other.splitlines(), strict=True) if old != new]
    assert changed
    for old, new in changed:
        assert new == old.replace(__version__, "98.7.6")


def test_no_other_deployment_file_repeats_the_version() -> None:
    """A version that no rule keeps current: image tags and file names below deploy/, helm/ and docs/howto/."""
    tag = re.compile(rf"(?:inkgate[/\w$-]*[:-]|VERSION[:=-]+){re.escape(__version__)}")
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("deploy", "helm", "docs/howto", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {"", ".md", ".sh", ".txt", ".yaml", ".yml", ".service"}
        if tag.search(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert found <= set(PLACES), found - set(PLACES)


def test_a_file_that_lost_its_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version behind"):
        with_version("nothing", "tag:")
